"""Scenes: similarity scores and splits."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.kitchen.world import (
    ATTRIBUTES,
    CATEGORIES,
    KEYSTEPS,
    SPLITS,
    VALUES,
    Scene,
    sample_scene,
    score,
)

relaxed = settings(deadline=None, max_examples=50)
scenes = st.builds(
    Scene,
    st.integers(0, len(KEYSTEPS) - 1),
    st.tuples(*(st.integers(0, len(words) - 1) for words in VALUES.values())),
)
categories = st.sampled_from(list(CATEGORIES))


def sampled(split: str, count: int) -> list[Scene]:
    rng = np.random.default_rng(7)
    return [sample_scene(rng, split) for _ in range(count)]


def test_splits_share_no_combination():
    owned = {
        split: {
            tuple(scene.word(name) for name in ("ingredient", "tool", "vessel", "counter"))
            for scene in sampled(split, 2000)
        }
        for split in SPLITS
    }
    for first, second in combinations(SPLITS, 2):
        assert not owned[first] & owned[second]
    shares = {split: len(found) / 480 for split, found in owned.items()}
    assert shares["train"] == pytest.approx(0.7, abs=0.1)
    assert shares["validation"] == pytest.approx(0.1, abs=0.05)
    assert shares["test"] == pytest.approx(0.2, abs=0.07)


@pytest.mark.parametrize("split", SPLITS)
def test_sampled_scenes_belong_to_their_split(split):
    assert {scene.split for scene in sampled(split, 50)} == {split}


def test_unknown_split():
    with pytest.raises(ValueError, match=r"split must be one of .* not 'dev'"):
        sample_scene(np.random.default_rng(0), "dev")


@relaxed
@given(scenes, scenes, categories)
def test_similarity_is_symmetric_and_five_only_for_equals(first, second, category):
    similarity = score(first, second, category)
    assert similarity == score(second, first, category)
    same = all(first.word(name) == second.word(name) for name in CATEGORIES[category])
    assert (similarity == 5) == same


@relaxed
@given(scenes, categories, st.data())
def test_a_major_difference_is_more_severe(scene, category, data):
    major, minor = (ATTRIBUTES.index(name) for name in CATEGORIES[category])

    def changed(*places):
        values = list(scene.values)
        for place in places:
            words = len(VALUES[ATTRIBUTES[place]])
            values[place] = (values[place] + data.draw(st.integers(1, words - 1))) % words
        return Scene(scene.keystep, tuple(values))

    similarities = [
        score(scene, other, category)
        for other in (scene, changed(minor), changed(major), changed(major, minor))
    ]
    assert similarities == [5, 4, 2, 1]
    assert all(more > less for more, less in pairwise(similarities))
