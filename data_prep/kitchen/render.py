"""Draws a clip of a scene from above in plain numpy: 64x64 frames at any phases of the clip."""

import math
from dataclasses import dataclass

import numpy as np

from data_prep.kitchen import shapes, still
from data_prep.kitchen.world import Scene

Array = np.ndarray

SIZE = 64
FINISH = 0.7
"""The phase at which the finish begins; it is complete at 0.78."""

MATERIAL = {
    "wooden": (160, 94, 40),
    "steel": (204, 210, 218),
    "silicone": (255, 56, 156),
    "plastic": (36, 92, 238),
}
SKIN = ((246, 204, 172), (224, 172, 132), (176, 118, 82), (112, 72, 50))
TOOL_LENGTH = 21.0
LID = (150, 154, 160)
OIL = (244, 184, 20)
FURROW = (36, 10, 60)


@dataclass(frozen=True)
class Motion:
    """The tool's motion: `turns` cycles per clip from phase `start`, `reach` pixels wide."""

    turns: float
    start: float
    reach: float

    def path(self, word: str, phases: Array) -> tuple[Array, Array]:
        """Offsets (x, y), each [T], of the tool's head from the dish's centre."""
        angle = 2 * np.pi * (self.turns * phases + self.start)
        if word == "stirring":
            return self.reach * np.cos(angle), 0.85 * self.reach * np.sin(angle)
        if word == "sweeping":
            return 1.25 * self.reach * np.sin(angle), 2 + 0 * angle
        if word == "pounding":
            return 0 * angle, 1.25 * self.reach * np.sin(angle)
        return 4 + 0 * angle, 3 + 0.8 * np.sin(angle)

    def trace(self, word: str, x: Array, y: Array) -> Array:
        """Distance of (x, y) from the furrow that the motion leaves, in kitchen coordinates."""
        if word == "stirring":
            return np.abs(shapes.ellipse(x, y, self.reach, 0.85 * self.reach)) - 2.3
        if word == "sweeping":
            return shapes.box(x, y - 2, 1.25 * self.reach, 2.4, 1)
        if word == "pounding":
            return shapes.box(x, y, 2.4, 1.25 * self.reach, 1)
        return shapes.circle(x - 4, y - 3, 5.0)


def render_frames(scene: Scene, rng: np.random.Generator, phases: Array) -> Array:
    """Draw the clip of `scene` at `phases` [T] in 0..1 as uint8 [T, 64, 64, 3].

    `rng` decides the clip's jitter (camera, light, noise, positions, distractors, rhythm). Its
    draws do not depend on `phases`: one seed is one clip, at any frame times.
    """
    phases = np.asarray(phases, np.float32)
    # One generator per part, so that one attribute's draws do not affect the others.
    camera, ground, around, dish, contents, actor = _generators(rng, 6)
    x, y = _camera(camera)
    image = still.draw_counter(scene.word("counter"), ground, x, y)
    still.draw_surroundings(image, scene, around, x, y)
    still.draw_dish(image, scene, x, y, dish.uniform(-12, 12, 3))
    still.draw_contents(image, scene, contents, x, y)
    motion = Motion(actor.uniform(1.3, 2.7), actor.random(), actor.uniform(7.5, 9.5))
    _draw_furrow(image, scene, motion, x, y)
    tilt = actor.uniform(-0.95, -0.55)
    skin = np.asarray(SKIN[actor.integers(len(SKIN))], np.float32)
    sleeve = actor.uniform(30, 220, 3)
    material = np.asarray(MATERIAL[scene.word("material")], np.float32)
    material += actor.uniform(-10, 10, 3)
    light, noise = _light(camera), _noise(camera)

    if scene.word("hands") == "both":
        rim = min(still.HALF_AXES[still.DISHES[scene.keystep][0]][0], 19.5)
        _draw_hand(image, x + rim, y - 4, (-22.0, 16.0), skin, sleeve)
    frames = np.repeat(image[:, None], len(phases), 1)
    late = np.flatnonzero(phases > FINISH)
    done = np.clip((phases - FINISH) / 0.08, 0, 1)[:, None, None]
    finish = scene.word("finish")
    if finish == "oiling":
        frames[:, late] = _draw_oil(frames[:, late], scene, x, y, done[late])
    dx, dy = (offset[:, None, None] for offset in motion.path(scene.word("motion"), phases))
    if finish == "lifting":
        dy = dy - 62 * done
    _draw_tool(frames, scene.word("tool"), x - dx, y - dy, tilt, material)
    at = (TOOL_LENGTH * math.cos(tilt), TOOL_LENGTH * math.sin(tilt))
    _draw_hand(frames, x - dx - at[0], y - dy - at[1], (20.0, -14.0), skin, sleeve)
    if finish == "covering":
        frames[:, late] = _draw_lid(frames[:, late], scene, x + 60 * (1 - done[late]), y)
    elif finish == "oiling":
        frames[:, late] = _draw_bottle(frames[:, late], x, y + 40 * (1 - done[late]))
    return _develop(frames, light, noise, phases)


def render_counter(scene: Scene, rng: np.random.Generator, phases: Array) -> Array:
    """The scene's empty counter, uint8 [T, 64, 64, 3]."""
    camera, ground = _generators(rng, 2)
    x, y = _camera(camera)
    image = still.draw_counter(scene.word("counter"), ground, x, y)
    light, noise = _light(camera), _noise(camera)
    return _develop(np.repeat(image[:, None], len(phases), 1), light, noise, phases)


def _generators(rng: np.random.Generator, count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in rng.integers(2**63, size=count)]


def _camera(rng: np.random.Generator) -> tuple[Array, Array]:
    """Kitchen coordinates of the pixel centres [64, 64], with the dish at the origin."""
    axis = np.arange(SIZE, dtype=np.float32) + 0.5
    left, top = 31 + rng.uniform(-3, 3), 36 + rng.uniform(-3, 3)
    x, y = np.meshgrid(axis - left, axis - top)
    zoom = rng.uniform(0.93, 1.07)
    return shapes.rotate(x * zoom, y * zoom, rng.uniform(-0.1, 0.1))


def _light(rng: np.random.Generator) -> Array:
    return (rng.uniform(0.84, 1.1) * rng.uniform(0.95, 1.05, 3)).astype(np.float32)


def _noise(rng: np.random.Generator) -> Array:
    return rng.uniform(3, 7) * rng.standard_normal((3, SIZE, SIZE), np.float32)


def _develop(frames: Array, light: Array, noise: Array, phases: Array) -> Array:
    """Apply light and noise; a frame's noise depends only on its phase."""
    frames *= light[:, None, None, None]
    for index, phase in enumerate(phases):
        shift = int(phase * 1e5)
        frames[:, index] += np.roll(noise, (shift * 7 % SIZE, shift * 13 % SIZE), (1, 2))
    return np.clip(frames, 0, 255).astype(np.uint8).transpose(1, 2, 3, 0)


def _draw_furrow(image: Array, scene: Scene, motion: Motion, x: Array, y: Array) -> None:
    """Draw the furrow that the tool left in the contents before the clip begins."""
    inside = still.dish_distance(still.DISHES[scene.keystep][0], x, y, -still.RIM - 0.6)
    trace = motion.trace(scene.word("motion"), x, y)
    shapes.paint(image, np.maximum(trace, inside), FURROW, 0.95)


def _draw_tool(frames: Array, word: str, x: Array, y: Array, tilt: float, colour: Array) -> None:
    """Draw the tool with its head at the origin and its handle in the direction `tilt`."""
    u, v = shapes.rotate(x, y, tilt)
    near = (np.abs(v) < 9) & (np.abs(u - 11) < 23)
    u, v, pixels = u[near], v[near], frames[:, near]
    handle = np.maximum(np.abs(v) - 1.7, np.abs(u - 19) - 13)
    if word == "spoon":
        head = shapes.ellipse(u, v, 8.5, 6.5)
    elif word == "whisk":
        outline = shapes.ellipse(u, v, 10.0, 7.5)
        head = np.abs(outline + 1.0) - 1.0
        head = np.minimum(head, np.maximum(np.abs(v) - 0.8, outline))
    elif word == "spatula":
        head = shapes.box(u, v, 7.5, 7.0, 1)
    else:
        prongs = np.abs(np.abs(v) - 5.2 * (np.abs(v) > 2.6)) - 1.4
        prongs = np.maximum(prongs, np.abs(u + 3) - 6.5)
        head = np.minimum(prongs, shapes.box(u - 4.5, v, 2.2, 6.6, 1))
    distance = np.minimum(head, handle)
    shapes.paint(pixels, distance - 0.8, (18, 16, 18))
    shapes.paint(pixels, distance, colour)
    if word == "spoon":
        shapes.paint(pixels, head + 3, colour * 0.72)
    frames[:, near] = pixels


def _draw_hand(
    frames: Array, x: Array, y: Array, arm: tuple[float, float], skin: Array, sleeve: Array
) -> None:
    """Draw a fist at the origin with an arm in the direction `arm`."""
    u, v = shapes.rotate(x, y, math.atan2(arm[1], arm[0]))
    near = (np.abs(v) < 6) & (u > -6)
    u, v, pixels = u[near], v[near], frames[:, near]
    forearm = np.maximum(np.abs(v) - 3.6, np.abs(u - 19) - 13)
    shapes.outlined(pixels, forearm, sleeve)
    fist = shapes.length(u - np.clip(u, 0, 3.5), v) - 4.8
    shapes.outlined(pixels, fist, skin, shade=0.5)
    knuckles = np.maximum(np.abs(v % 3 - 1.5) - 0.4, np.maximum(np.abs(u + 1) - 2, fist + 1))
    shapes.paint(pixels, knuckles, skin * 0.6)
    frames[:, near] = pixels


def _draw_lid(frames: Array, scene: Scene, x: Array, y: Array) -> Array:
    shape, _ = still.DISHES[scene.keystep]
    lid = still.dish_distance(shape, x, y, -3.2)
    shapes.outlined(frames, lid, LID, width=1.2)
    shapes.paint(frames, np.abs(lid + 4) - 0.6, (206, 210, 216))
    shapes.outlined(frames, shapes.circle(x, y, 3.6), (40, 40, 44))
    return frames


def _draw_oil(frames: Array, scene: Scene, x: Array, y: Array, done: Array) -> Array:
    inside = still.dish_distance(still.DISHES[scene.keystep][0], x, y, -still.RIM - 0.6)
    angle = np.arctan2(y, x)
    blob = shapes.circle(x + 2, y - 1, 11.0 * done + 1.2 * np.sin(3 * angle) - 2 * (done == 0))
    shapes.paint(frames, np.maximum(blob, inside), OIL, 0.88 * (done > 0))
    return frames


def _draw_bottle(frames: Array, x: Array, y: Array) -> Array:
    u, v = shapes.rotate(x + 19, y + 21, -0.6)
    body = shapes.box(u, v, 5.0, 8.5, 2)
    neck = shapes.box(u, v - 11, 1.8, 4.0)
    shapes.outlined(frames, np.minimum(body, neck), OIL)
    shapes.paint(frames, shapes.box(u, v, 3.2, 3.0), (250, 246, 220))
    return frames
