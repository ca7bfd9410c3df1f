"""Embeddings of sentences: their products are cosines."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.similarity.base import cosines
from data_prep.similarity.choice import open_similarity
from data_prep.similarity.words import words_embedding
from stepdiff_jax.errors import InputError

WORDS = ("stir", "salt", "spoon", "wooden", "whisk", "pour", "slowly", "twice", "3", "...")
texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


def words_of(text: str) -> set[str]:
    return {word for word in text.split() if word.isalpha()}


@given(st.lists(texts, min_size=1, max_size=8))
@settings(deadline=None)
def test_similarity_of_words_is_a_cosine(several):
    vectors = words_embedding(several)
    similarity = cosines(vectors, vectors)
    bags = [words_of(text) for text in several]
    np.testing.assert_allclose(np.diag(similarity), [len(bag) > 0 for bag in bags], atol=1e-5)
    for (i, one), (j, other) in combinations(enumerate(bags), 2):
        assert (similarity[i, j] > 1 - 1e-5) == (one == other != set())
        assert (similarity[i, j] < 1e-6) == (not one & other)


def test_rare_words_weigh_more():
    a, b, c = "stir salt", "stir spoon", "whisk salt"
    vectors = words_embedding([a, b, c, "stir", "stir pour"])
    assert cosines(vectors, vectors)[0, 2] > cosines(vectors, vectors)[0, 1]


def test_similarity_by_the_text_tower_of_a_config():
    embed = open_similarity("internvideo", "kitchen")
    sentences = ["a wooden spoon", "a wooden spoon", "stirring finely cut onions"]
    similarity = cosines(embed(sentences), embed(sentences))
    np.testing.assert_allclose(np.append(similarity[0, :2], similarity[2, 2]), 1, atol=1e-6)
    assert similarity[0, 2] < 1 - 1e-4


def test_an_unknown_config_is_bad_input():
    with pytest.raises(InputError, match="nonsense"):
        open_similarity("internvideo", "nonsense")
