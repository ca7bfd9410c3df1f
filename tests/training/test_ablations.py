"""Runs that train the last layers of the language model, or adapters on it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ablations import ADAPTED, CASES, ablation
from stepdiff_jax.checkpoint import read_trained
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.llama import matrix_shapes
from stepdiff_jax.training.experiment_program import build_program
from stepdiff_jax.training.interruption import Interrupted
from stepdiff_jax.training.loop import train
from stepdiff_jax.weights.fingerprint import fingerprint
from stepdiff_jax.weights.load import named_leaves

TRAINED = {
    "last layers": {
        f"llama.last_blocks.{name}"
        for name in (*matrix_shapes(CASES["lora"][0]), "attention_norm", "mlp_norm")
    },
    "lora": {f"llama.blocks.lora.{name}.{part}" for name in ADAPTED for part in "ab"},
}


def two_steps(tiny: Experiment, case: str, root: Path, run: Path) -> Experiment:
    experiment = ablation(tiny, case, root / "llama")
    return dataclasses.replace(
        experiment,
        optimizer=dataclasses.replace(experiment.optimizer, steps=2, warmup_steps=1),
        loop=dataclasses.replace(experiment.loop, run_directory=str(run), evaluate_every=0),
    )


@pytest.mark.parametrize("case", CASES)
def test_two_steps_train_exactly_what_is_named_interrupted_or_not(tiny, case, tmp_path):
    whole = two_steps(tiny, case, tmp_path, tmp_path / "whole")
    trained = read_trained(train(whole))
    assert {name for name in trained.arrays if not name.startswith("resampler.")} == TRAINED[case]
    program, fresh, _ = build_program(whole)
    assert named_leaves(fresh).keys() == trained.arrays.keys()
    for name, leaf in named_leaves(fresh).items():
        assert trained.arrays[name].dtype == np.float32, name
        assert np.any(trained.arrays[name] != np.asarray(leaf)), name
    assert trained.metadata.fingerprint == fingerprint(program.frozen)

    stopped = two_steps(tiny, case, tmp_path, tmp_path / "stopped")
    with pytest.raises(Interrupted):
        train(stopped, stop=lambda step: step == 1)
    again = read_trained(train(stopped))
    assert again.arrays.keys() == trained.arrays.keys()
    for name, array in trained.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)


def test_adapters_start_beside_the_resampler_of_another_run(tiny, tmp_path, capsys):
    base = two_steps(tiny, "lora", tmp_path, tmp_path / "base")
    plain = dataclasses.replace(
        base,
        trainable=("resampler",),
        llama=dataclasses.replace(base.llama, lora=dataclasses.replace(base.llama.lora, rank=0)),
    )
    first = read_trained(train(plain))
    weights = dataclasses.replace(base.weights, initial_run=plain.loop.run_directory)
    loop = dataclasses.replace(base.loop, run_directory=str(tmp_path / "second"))
    second = dataclasses.replace(base, weights=weights, loop=loop)
    with pytest.raises(Interrupted):
        train(second, stop=lambda step: step == 0)
    arrays = read_trained(tmp_path / "second").arrays
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    assert not arrays["llama.blocks.lora.query.b"].any()
    assert "did not train llama.blocks.lora.down.a" in capsys.readouterr().err


@pytest.mark.parametrize(
    "patterns, message",
    [
        (("resampler", "llama.blokcs"), "'llama.blokcs' matches no array"),
        (("llama.blocks[-4:]",), "the language model has 3 layers"),
        (("llama.blocks[1:2]",), "only the last layers can be selected"),
    ],
)
def test_a_pattern_that_cannot_be_trained_is_an_input_error(tiny, tmp_path, patterns, message):
    experiment = two_steps(tiny, "last layers", tmp_path, tmp_path / "run")
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        train(dataclasses.replace(experiment, trainable=patterns))
    assert not (tmp_path / "run").exists()
