"""Draws the static parts of a clip: the counter, the dish, its contents and distractors."""

import numpy as np

from data_prep.kitchen import shapes
from data_prep.kitchen.world import Scene

Array = np.ndarray

VESSEL = {
    "white": (246, 246, 244),
    "black": (24, 24, 28),
    "green": (36, 140, 66),
    "yellow": (250, 200, 30),
    "purple": (128, 52, 170),
}
INSIDE = (104, 88, 80)
# Keystep -> the dish's shape and whether it is on a stove; each shape has two keysteps.
DISHES = (
    ("bowl", False),
    ("pot", True),
    ("pot", False),
    ("bowl", True),
    ("pan", True),
    ("pan", False),
    ("oval", False),
    ("oval", True),
)
HALF_AXES = {"bowl": (19.5, 19.5), "pot": (18.0, 18.0), "pan": (18.0, 18.0), "oval": (23.0, 16.0)}
RIM = 4.6
# Cut -> number of pieces and their radius in pixels; finer cuts cover more of the dish.
CUTS = {"finely": (100, 1.5), "roughly": (15, 3.1), "halved": (3, 6.0)}


def draw_counter(word: str, rng: np.random.Generator, x: Array, y: Array) -> Array:
    """The counter seen from above, float32 [3, H, W]."""
    x = x + rng.uniform(0, 40)
    y = y + rng.uniform(0, 40)
    wave = rng.uniform(0, 2 * np.pi, 3).astype(np.float32)
    if word == "marble":
        image = _flat(x, (226, 226, 230))
        bend = 5 * np.sin(x * 0.11 + wave[0]) + 4 * np.sin(y * 0.13 + x * 0.05 + wave[1])
        for slope, step in ((0.55, 17.0), (-0.8, 29.0)):
            across = (y + slope * x + bend + wave[2]) % step - step / 2
            shapes.paint(image, np.abs(across) - 0.7, (140, 142, 156), 0.75)
        return image
    if word == "granite":
        image = _flat(x, (118, 116, 118))
        grain = rng.random(x.shape)
        image[:, grain < 0.17] = 52
        image[:, grain > 0.95] = 168
        return image
    if word == "oak":
        image = _flat(x, (178, 122, 68))
        plank = np.floor(y / 10)
        image *= 0.94 + 0.08 * np.sin(plank * 2.3 + wave[0])
        grain = np.sin(y * 1.9 + 1.5 * np.sin(x * 0.09 + plank * 1.7))
        image *= 1 + 0.06 * grain
        shapes.paint(image, np.abs(y % 10 - 5) - 0.6, (96, 58, 28))
        return image
    image = _flat(x, (112, 160, 204))
    for across in (x, y):
        shapes.paint(image, np.abs(across % 12 - 6) - 0.7, (226, 236, 244))
    return image


def draw_surroundings(image: Array, scene: Scene, rng: np.random.Generator, x: Array, y: Array):
    """Draw a stove ring under the dish or a folded towel beside it, and 1 to 3 distractors."""
    shape, stove = DISHES[scene.keystep]
    for corner in rng.permutation(3)[: rng.integers(1, 4)]:
        _draw_distractor(image, rng, x, y, ((-27, -24), (24, 27), (-2, -29))[corner])
    if stove:
        shapes.paint(image, dish_distance(shape, x, y, 5.5), (44, 44, 48))
        ring = np.abs(dish_distance(shape, x, y, 3.2))
        shapes.paint(image, ring - 1.5, (255, 92, 24))
    else:
        u, v = shapes.rotate(
            x + 25 + rng.uniform(-2, 2), y - 24 + rng.uniform(-2, 2), rng.uniform(0.4, 1.1)
        )
        cloth = shapes.box(u, v, 10, 7, 1)
        shapes.outlined(image, cloth, (238, 232, 222))
        shapes.paint(image, np.maximum(np.abs(v % 5 - 2.5) - 1, cloth + 1), (204, 56, 66))


def _draw_distractor(image: Array, rng: np.random.Generator, x: Array, y: Array, at) -> None:
    u, v = shapes.rotate(
        x - at[0] + rng.uniform(-3, 3), y - at[1] + rng.uniform(-3, 3), rng.uniform(0, np.pi)
    )
    colour = rng.uniform(30, 230, 3)
    kind = rng.integers(3)
    if kind == 0:
        shapes.outlined(image, shapes.circle(u, v, 4.5), colour)
        shapes.paint(image, shapes.circle(u, v, 2.5), colour * 0.7)
    elif kind == 1:
        shapes.outlined(image, shapes.box(u, v, 5.5, 3, 1), colour)
    else:
        shapes.outlined(image, shapes.capsule(u, v, (7, 0), 1.6), colour)


def dish_distance(shape: str, x: Array, y: Array, grow: float = 0.0) -> Array:
    """Signed distance to the dish's outline without handles, grown by `grow`."""
    a, b = HALF_AXES[shape]
    if shape == "pan":
        return shapes.box(x, y, a + grow, b + grow, 4)
    if shape == "oval":
        return shapes.ellipse(x, y, a + grow, b + grow)
    return shapes.circle(x, y, a + grow)


def draw_dish(image: Array, scene: Scene, x: Array, y: Array, tint: Array) -> None:
    """Draw the dish, with its rim in the vessel's colour."""
    shape, _ = DISHES[scene.keystep]
    word = scene.word("vessel")
    colour = np.clip(np.asarray(VESSEL[word], np.float32) + tint, 0, 255)
    distance = dish_distance(shape, x, y)
    if shape == "pot":
        distance = np.minimum(distance, shapes.box(np.abs(x) - 20.5, y, 4.5, 5.5, 2))
    shapes.paint(image, distance - 2, (0, 0, 0), 0.25)
    edge = colour + 70 if word == "black" else colour * 0.4
    shapes.paint(image, distance, edge)
    shapes.paint(image, distance + 1, colour)
    if shape == "pot":
        shapes.paint(image, shapes.box(np.abs(x) - 21.5, y, 1.3, 2.6, 1), edge)
    inside = dish_distance(shape, x, y, -RIM)
    shapes.paint(image, inside, edge)
    shapes.paint(image, inside + 0.8, INSIDE)


def draw_contents(image: Array, scene: Scene, rng: np.random.Generator, x: Array, y: Array) -> None:
    """Draw the pieces of the ingredient with the topping over them."""
    shape, _ = DISHES[scene.keystep]
    a, b = (half - RIM for half in HALF_AXES[shape])
    where = dish_distance(shape, x, y, -RIM) < 0.5
    x, y, pixels = x[where], y[where], image[:, where]
    inside = dish_distance(shape, x, y, -RIM - 0.6)
    count, size = CUTS[scene.word("cut")]
    margin = 0.6 * size
    centres = shapes.spread(rng, count, a - margin, b - margin, 0.35 * size)
    sizes = (size * rng.uniform(0.88, 1.12, count)).astype(np.float32)
    u, v, r = shapes.scatter(x, y, centres, _angles(rng, count), sizes)
    for distance, colour in _ingredient(scene.word("ingredient"), u, v, r):
        shapes.paint(pixels, np.maximum(distance, inside), colour)

    count = {"salt": 20, "chili": 13, "parsley": 12, "cheese": 12}[scene.word("topping")]
    centres = shapes.spread(rng, count, a - 2, b - 2, 1.2)
    u, v, _ = shapes.scatter(x, y, centres, _angles(rng, count), np.ones(count, np.float32))
    for distance, colour in _topping(scene.word("topping"), u, v):
        shapes.paint(pixels, np.maximum(distance, inside), colour)
    image[:, where] = pixels


def _ingredient(word: str, u: Array, v: Array, r: Array) -> list[tuple[Array, tuple]]:
    """Layers (distance, colour) of a piece of radius `r` in its own axes."""
    if word == "tomatoes":
        return [
            (shapes.circle(u, v, r), (150, 14, 12)),
            (shapes.circle(u, v, 0.8 * r), (236, 44, 30)),
            (shapes.circle(np.abs(u) - 0.38 * r, v, 0.2 * r), (255, 170, 120)),
        ]
    if word == "carrots":
        stick = shapes.box(u, v, 1.35 * r, 0.62 * r)
        return [(stick, (176, 78, 0)), (stick + 0.18 * r, (255, 138, 20))]
    if word == "potatoes":
        cube = shapes.box(u, v, 0.92 * r, 0.92 * r)
        return [(cube, (150, 112, 60)), (cube + 0.2 * r, (226, 192, 124))]
    if word == "mushrooms":
        cap = np.maximum(shapes.circle(u, v + 0.1 * r, r), v - 0.15 * r)
        stem = shapes.box(u, v - 0.5 * r, 0.32 * r, 0.6 * r)
        return [
            (np.minimum(cap, stem), (104, 92, 84)),
            (np.minimum(cap, stem) + 0.14 * r, (178, 164, 152)),
            (stem + 0.1 * r, (212, 202, 190)),
        ]
    if word == "onions":
        ring = np.abs(shapes.circle(u, v, 0.7 * r)) - 0.36 * r
        core = np.abs(shapes.circle(u, v, 0.72 * r)) - 0.14 * r
        return [(ring, (156, 46, 140)), (core, (246, 222, 246))]
    return [
        (shapes.circle(u, v, 0.95 * r), (60, 130, 14)),
        (shapes.circle(u, v, 0.78 * r), (132, 226, 40)),
        (shapes.circle(u + 0.25 * r, v + 0.25 * r, 0.25 * r), (216, 255, 150)),
    ]


def _topping(word: str, u: Array, v: Array) -> list[tuple[Array, tuple]]:
    if word == "salt":
        return [(shapes.box(u, v, 1.2, 1.2), (255, 255, 255))]
    if word == "chili":
        return [(shapes.box(u, v, 2.8, 1.25, 0.8), (100, 0, 24))]
    if word == "parsley":
        angle = np.arctan2(v, u)
        return [(shapes.circle(u, v, 2.0 + 0.7 * np.cos(3 * angle)), (8, 84, 34))]
    shred = shapes.box(u, v, 4.2, 1.5, 1)
    return [(shred, (140, 84, 0)), (shred + 0.6, (255, 232, 40))]


def _angles(rng: np.random.Generator, count: int) -> Array:
    return rng.uniform(0, 2 * np.pi, count).astype(np.float32)


def _flat(x: Array, colour: tuple) -> Array:
    return np.repeat(np.asarray(colour, np.float32), x.size).reshape(3, *x.shape)
