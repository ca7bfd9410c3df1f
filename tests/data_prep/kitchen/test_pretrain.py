"""The training of the kitchen's stand-ins: rounds go on from one another, stopped or not."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx

from configs import kitchen
from data_prep.kitchen import stand_ins
from data_prep.kitchen.pretrain.encoder import train_encoder
from data_prep.kitchen.pretrain.language_model import train_language_model
from stepdiff_jax.data.tokenizer import Tokenizer

LLAMA = replace(stand_ins.LLAMA, width=16, layers=1, mlp_width=16)
ENCODER = replace(stand_ins.ENCODER, width=16, layers=1, mlp_width=16, uniblock_layers=(0,))
ROUNDS = (2, 2, 2)
"""The language model's third round is the first that mixes neighbours."""


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
    def train(rounds, directory):
        return train_language_model(LLAMA, tokenizer, rounds=rounds, seed=0, directory=directory)

    whole = train(ROUNDS, tmp_path / "whole")
    first = train(ROUNDS[:1], tmp_path / "stopped")
    assert not all(same(first, whole))
    assert all(same(train(ROUNDS, tmp_path / "stopped"), whole))
    assert not all(same(train(ROUNDS[:2], tmp_path / "whole"), whole))


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
