"""Two steps of the tiny experiment on a Llama of 3.2's kind."""

from dataclasses import replace

import numpy as np
import pytest

from launching import metrics
from stepdiff_jax.checkpoint import read_trained
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.loop import train
from tiny_experiment import on_llama3, write_tiny_experiment


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> Experiment:
    root = tmp_path_factory.mktemp("llama3")
    tiny = on_llama3(write_tiny_experiment(root), root)
    return replace(
        tiny,
        optimizer=replace(tiny.optimizer, steps=2, warmup_steps=0),
        loop=replace(tiny.loop, evaluate_every=0),
    )


def test_two_steps_from_a_directory_in_hugging_faces_format(experiment):
    run = train(experiment)
    assert read_trained(run).step == 2
    losses = [row["loss"] for row in metrics(run)]
    assert len(losses) == 2 and np.isfinite(losses).all() and losses[0] != losses[1]


def test_the_same_directory_is_not_trained_on_as_llama_2(experiment, tmp_path):
    other = replace(
        experiment,
        llama=replace(experiment.llama, family="llama2"),
        loop=replace(experiment.loop, run_directory=str(tmp_path / "run")),
    )
    with pytest.raises(InputError) as error:
        train(other)
    assert "\n" not in str(error.value)
    assert "llama3" in str(error.value) or "is byte-level BPE" in str(error.value)
