"""The rendered clips: deterministic, and every attribute can be seen where it should be."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from data_prep.kitchen.render import render_counter, render_frames
from data_prep.kitchen.world import ATTRIBUTES, KEYSTEPS, VALUES, Scene, sample_scene

PHASES = np.linspace(0, 1, 8)
AXES = [
    ("stirring", (True, True)),
    ("sweeping", (True, False)),
    ("pounding", (False, True)),
    ("pressing", (False, False)),
]
"""(motion, whether its way is long across and down)."""


def scene_with(seed: int = 0, **words: str) -> Scene:
    scene = sample_scene(np.random.default_rng(seed), "train")
    values = list(scene.values)
    for name, word in words.items():
        values[ATTRIBUTES.index(name)] = VALUES[name].index(word)
    return replace(scene, values=tuple(values))


def render(scene: Scene, seed: int = 0, phases: np.ndarray = PHASES) -> np.ndarray:
    return render_frames(scene, np.random.default_rng(seed), phases)


def changed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pixels [T] of each frame that differ by more than noise could (in any channel)."""
    return (np.abs(first.astype(int) - second).max(-1) > 40).sum((1, 2))


def test_frames_do_not_depend_on_the_other_phases():
    for seed in range(5):
        scene = scene_with(seed)
        whole = render(scene, seed)
        assert whole.shape == (8, 64, 64, 3)
        assert whole.dtype == np.uint8
        np.testing.assert_array_equal(render(scene, seed, PHASES[[6, 1]]), whole[[6, 1]])


def test_seeds_jitter_the_clip():
    scene = scene_with()
    assert (changed(render(scene, 0), render(scene, 1)) > 200).all()


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "finish"])
def test_every_two_values_look_different(name):
    """At least 50 of a frame's pixels change strongly, and most of the others do not."""
    for seed in range(3):
        clips = [render(scene_with(seed, **{name: word}), seed) for word in VALUES[name]]
        for first, second in itertools.combinations(clips, 2):
            assert changed(first, second).max() >= 50
            if name != "counter":
                assert changed(first, second).max() < 0.6 * 64 * 64


def test_every_two_keysteps_look_different():
    clips = [render(replace(scene_with(), keystep=index)) for index in range(len(KEYSTEPS))]
    for first, second in itertools.combinations(clips, 2):
        assert changed(first, second).min() >= 100


def test_finish_shows_from_its_phase_on():
    phases = np.array([0.3, 0.69, 0.8, 1.0])
    clips = [render(scene_with(finish=word), 0, phases) for word in VALUES["finish"]]
    for first, second in itertools.combinations(clips, 2):
        np.testing.assert_array_equal(first[:2], second[:2])
        assert (changed(first[2:], second[2:]) > 200).all()


def tool_positions(motion: str, seed: int) -> np.ndarray:
    """Centres (x, y) [T, 2] of the pink spatula before the finish."""
    scene = scene_with(
        seed, motion=motion, tool="spatula", material="silicone", vessel="white", ingredient="peas"
    )
    frames = render(scene, seed, np.linspace(0, 0.7, 15)).astype(int)
    red, green, blue = np.moveaxis(frames, -1, 0)
    pink = (red - green > 90) & (blue - green > 40)
    rows, columns = np.mgrid[:64, :64]
    return np.array([[columns[mask].mean(), rows[mask].mean()] for mask in pink])


@pytest.mark.parametrize(("motion", "moves"), AXES)
def test_motion_moves_the_tool_along_its_axes(motion, moves):
    for seed in range(4):
        extent = np.ptp(tool_positions(motion, seed), axis=0)
        assert tuple(extent > 6) == moves, extent
        assert (extent[~np.array(moves)] < 4).all()


@pytest.mark.parametrize(("motion", "wide"), AXES)
def test_motion_leaves_a_furrow_along_its_axes(motion, wide):
    """What a lifted tool leaves behind in the contents."""
    for seed in range(4):
        scene = scene_with(
            seed,
            motion=motion,
            finish="lifting",
            hands="one",
            vessel="white",
            counter="oak",
            ingredient="peas",
            topping="salt",
        )
        last = render(scene, seed)[-1].astype(int)
        red, green, blue = np.moveaxis(last, -1, 0)
        furrow = (blue - green > 25) & (blue - red > 5) & (blue < 100)
        # Nothing beside the dish counts.
        furrow[:22] = furrow[50:] = False
        furrow[:, :17] = furrow[:, 45:] = False
        assert furrow.sum() > 40
        columns_and_rows = np.argwhere(furrow)[:, ::-1]
        extent = np.ptp(np.percentile(columns_and_rows, [5, 95], axis=0), axis=0)
        assert tuple(extent > 12) == wide, extent


def test_lifting_takes_the_tool_away():
    scene = scene_with(tool="spatula", material="silicone", finish="lifting")
    last = render(scene)[-1].astype(int)
    assert ((last[..., 0] - last[..., 1] > 120) & (last[..., 2] - last[..., 1] > 60)).sum() < 40


def test_an_empty_counter():
    frames = render_counter(scene_with(counter="tiled"), np.random.default_rng(0), PHASES)
    assert frames.shape == (8, 64, 64, 3)
    assert frames[..., 2].mean() > frames[..., 0].mean() + 30
