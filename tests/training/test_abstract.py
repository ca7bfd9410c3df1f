"""The compiled step on eight devices: what it donates, and how its activations lie."""

import dataclasses
import re

import jax
import pytest

from stepdiff_jax.config import Experiment, MeshConfig
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.training.abstract import lower_step


@pytest.fixture(scope="module")
def lowered(tiny: Experiment) -> jax.stages.Lowered:
    """Rows of a length that nothing else has, one a device."""
    data = dataclasses.replace(tiny.data, row_length=250, batch_rows=8)
    return lower_step(dataclasses.replace(tiny, data=data), make_mesh(MeshConfig()))


@pytest.fixture(scope="module")
def program(lowered: jax.stages.Lowered) -> str:
    text = lowered.compile().as_text()
    assert text
    return text


def test_no_device_holds_the_whole_batch_of_activations(program):
    assert re.search(r"f32\[1,250,", program)
    assert not re.search(r"f32\[8,250,", program)


def test_only_the_trained_tree_and_its_optimizer_are_donated(program, tiny):
    _, trainable, frozen = split_variables(abstract_model(tiny), tiny.trainable)
    donated = {int(n) for n in re.findall(r"\((\d+), \{\}, \w+-alias\)", program.splitlines()[0])}
    weights = len(jax.tree.leaves(trainable))
    # Weights, two moments, and a few counters; the arguments behind them are the frozen weights.
    assert 3 * weights <= len(donated) <= 3 * weights + 3
    assert max(donated) < 3 * weights + 3
    assert len(jax.tree.leaves(frozen)) > 0
