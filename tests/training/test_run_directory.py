"""Which configurations may go on in a run directory."""

import dataclasses
import json

import pytest

from stepdiff_jax.config import Experiment, MeshConfig, Source
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.run_directory import claim_run_directory, config_hash

EXPERIMENT = Experiment(name="first")


def replaced(part: str, **fields: object) -> Experiment:
    inner = dataclasses.replace(getattr(EXPERIMENT, part), **fields)
    return dataclasses.replace(EXPERIMENT, **{part: inner})


@pytest.fixture
def run(tmp_path):
    claim_run_directory(tmp_path, EXPERIMENT)
    (tmp_path / "checkpoints" / "4").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "experiment, message",
    [
        (replaced("optimizer", steps=7), "optimizer.steps = 2000, not 7"),
        (replaced("loop", seed=1), "loop.seed = 0, not 1"),
        (replaced("weights", llama="x"), "weights.llama = '', not 'x'"),
        (replaced("data", mixture=(Source("single"),)), r"data.mixture = .*pairs.*, not .*single"),
        (dataclasses.replace(EXPERIMENT, name="second"), "name = 'first', not 'second'"),
    ],
)
def test_another_experiment_is_an_input_error_that_names_the_field(run, experiment, message):
    with pytest.raises(InputError, match=rf"{run}/config\.json: .*{message}"):
        claim_run_directory(run, experiment)
    assert json.loads((run / "config.json").read_text())["name"] == "first"
    assert config_hash(experiment) != config_hash(EXPERIMENT)


@pytest.mark.parametrize(
    "experiment",
    [
        EXPERIMENT,
        replaced("loop", checkpoint_every=1, log_every=2, evaluate_every=3, keep_checkpoints=4),
        dataclasses.replace(EXPERIMENT, mesh=MeshConfig(tensor=4)),
    ],
)
def test_cadence_and_mesh_may_change_and_are_written(run, experiment):
    claim_run_directory(run, experiment)
    stored = json.loads((run / "config.json").read_text())
    assert stored["loop"] == dataclasses.asdict(experiment.loop)
    assert stored["mesh"] == dataclasses.asdict(experiment.mesh)
    assert config_hash(experiment) == config_hash(EXPERIMENT)


def test_run_that_saved_nothing_may_change_its_experiment(tmp_path):
    claim_run_directory(tmp_path, EXPERIMENT)
    claim_run_directory(tmp_path, dataclasses.replace(EXPERIMENT, name="second"))
    assert json.loads((tmp_path / "config.json").read_text())["name"] == "second"


@pytest.mark.parametrize(
    "text, message",
    [("{", "cannot be read"), ("[]", "it must be Experiment, got"), ("\xff", "cannot be read")],
)
def test_broken_config_is_an_input_error(run, text, message):
    (run / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=rf"{run}/config\.json: {message}"):
        claim_run_directory(run, EXPERIMENT)
