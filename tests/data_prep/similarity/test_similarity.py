"""Embeddings of sentences: their products are cosines."""

from itertools import combinations

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers

from data_prep.similarity.base import cosines
from data_prep.similarity.choice import open_similarity
from data_prep.similarity.text_tower import CLIP_TOKENIZER, open_text_tokenizer
from data_prep.similarity.words import words_embedding
from stepdiff_jax.config import EncoderConfig, Experiment, TextTowerConfig, WeightsConfig
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


def clip_experiment(directory, vocabulary_size: int) -> Experiment:
    text = TextTowerConfig(vocabulary_size=vocabulary_size, context=6)
    tokenizer = "data_prep/kitchen/stand_ins/tokenizer.model"
    weights = WeightsConfig(encoder=str(directory / "encoder.safetensors"), tokenizer=tokenizer)
    return Experiment("clip", encoder=EncoderConfig(text=text), weights=weights)


def test_clips_own_tokenizer_lies_beside_the_encoder(tmp_path):
    """Small letters, byte-pair merges and `</w>` as CLIP's, with start and end last."""
    pieces = ["s", "o", "a", "k</w>", "t</w>", "so", "soa", "soak</w>", "<start>", "<end>"]
    inner = tokenizers.Tokenizer(
        models.BPE(
            {piece: number for number, piece in enumerate(pieces)},
            [("s", "o"), ("so", "a"), ("soa", "k</w>")],
            end_of_word_suffix="</w>",
        )
    )
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.decoder = decoders.BPEDecoder()
    inner.save(str(tmp_path / CLIP_TOKENIZER))
    tokenize = open_text_tokenizer(clip_experiment(tmp_path, len(pieces)))
    np.testing.assert_array_equal(
        tokenize(["soak", "soak soak soak soak soak soak", ""]),
        [[8, 7, 9, 0, 0, 0], [8, 7, 7, 7, 7, 9], [8, 9, 0, 0, 0, 0]],
    )
    with pytest.raises(InputError, match="a tokenizer of 10 tokens, but"):
        open_text_tokenizer(clip_experiment(tmp_path, 49408))


def test_a_text_tower_without_its_tokenizer_is_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file: .* 49408 tokens"):
        open_text_tokenizer(clip_experiment(tmp_path, 49408))
