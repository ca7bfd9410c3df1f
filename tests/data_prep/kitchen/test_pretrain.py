"""The training of the kitchen's stand-ins: rounds go on from one another, stopped or not."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx

from configs import kitchen
from data_prep.kitchen import language, stand_ins
from data_prep.kitchen.pretrain.dialogues import PAIRS, verdict_branches
from data_prep.kitchen.pretrain.encoder import train_encoder
from data_prep.kitchen.pretrain.language_model import (
    ROW,
    begin_lesson,
    train_language_model,
    word_token,
)
from data_prep.kitchen.pretrain.lessons import Lesson
from data_prep.kitchen.world import ATTRIBUTES, CATEGORIES, sample_scene, score
from stepdiff_jax.data.packing import lay_out
from stepdiff_jax.data.prompts import Text, ranking_question
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.models.llama import Llama

LLAMA = replace(stand_ins.LLAMA, width=16, layers=1, mlp_width=16)
ENCODER = replace(stand_ins.ENCODER, width=16, layers=1, mlp_width=16, uniblock_layers=(0,))
LESSONS = (Lesson(2), Lesson(2, mixing=0.8), Lesson(2, "verdicts", mixing=0.8))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(kitchen.WEIGHTS.tokenizer)


def leaves(model: nnx.Module) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(model))]


def furthest(first: nnx.Module, second: nnx.Module) -> float:
    return max(np.abs(a - b).max() for a, b in zip(leaves(first), leaves(second), strict=True))


def same(first: nnx.Module, second: nnx.Module) -> list[bool]:
    return [np.array_equal(a, b) for a, b in zip(leaves(first), leaves(second), strict=True)]


def test_language_model_rounds_go_on_from_the_one_before(tokenizer, tmp_path):
    def train(lessons, directory):
        return train_language_model(LLAMA, tokenizer, lessons=lessons, seed=0, directory=directory)

    whole = train(LESSONS, tmp_path / "whole")
    first = train(LESSONS[:1], tmp_path / "stopped")
    assert not all(same(first, whole))
    assert all(same(train(LESSONS, tmp_path / "stopped"), whole))
    assert not all(same(train(LESSONS[:2], tmp_path / "whole"), whole))


def test_a_likened_word_begins_halfway_to_the_other(tokenizer, tmp_path):
    random = Llama(LLAMA, rngs=nnx.Rngs(0))
    words = {"Actions": "motion", "Visuals": "vessel"}
    lesson = Lesson(1, likened=tuple(words.items()))
    begun = Llama(LLAMA, rngs=nnx.Rngs(0))
    begin_lesson(begun, tokenizer, lesson)
    before, after = np.asarray(random.embedding[...]), np.asarray(begun.embedding[...])
    moved = {word_token(tokenizer, word): word_token(tokenizer, o) for word, o in words.items()}
    for token, row in enumerate(after):
        start = before[token]
        halfway = (start + before[moved.get(token, token)]) / 2
        np.testing.assert_allclose(row, halfway, rtol=1e-6)


def test_words_are_single_tokens_within_a_question(tokenizer):
    for name in (*CATEGORIES, *ATTRIBUTES):
        word = name.split("/")[0]
        assert word_token(tokenizer, word) in tokenizer.encode(ranking_question(name))


def test_a_verdict_has_both_answers_by_their_shares():
    rng = np.random.default_rng(0)
    first, second = sample_scene(rng, "train"), sample_scene(rng, "train")
    for category in CATEGORIES:
        branches = verdict_branches(first, second, category)
        assert {Text(ranking_question(category)) in branch for branch in branches} == {True}
        weights = {branch[-1].text: branch[-1].loss_weight for branch in branches}
        share = language.YES_SHARE[score(first, second, category)]
        assert weights["YES"] / (weights["YES"] + weights["NO"]) == pytest.approx(share)
        assert sum(weights.values()) == pytest.approx(4.0)


@pytest.mark.parametrize("pairs", PAIRS)
def test_dialogues_fit_a_row(tokenizer, pairs):
    rng = np.random.default_rng(0)
    lengths = [lay_out(PAIRS[pairs](rng), tokenizer, latents=0).length for _ in range(40)]
    assert max(lengths) <= ROW.length


def test_encoder_rounds_go_on_from_the_one_before(tokenizer, tmp_path):
    def train(rounds, directory):
        return train_encoder(
            ENCODER, tokenizer, rounds=rounds, seed=0, directory=directory, clips=240
        )

    first = train((1,), tmp_path)
    second = train((1, 1), tmp_path)
    assert not all(same(first, second))
    # One step of AdamW moves no weight further than its rate, 1.5e-3, and a little decay.
    assert furthest(first, second) < 4e-3
    assert all(same(train((1,), tmp_path), first))
