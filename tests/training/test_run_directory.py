"""Which configurations may go on in a run directory."""

import dataclasses
import json

import pytest

from stepdiff_jax.config import Experiment, MeshConfig, RopeScaling, Source
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.run_directory import claim_run_directory, config_hash

EXPERIMENT = Experiment(name="first")
HASH_BEFORE_FAMILIES = "0ce21ccf7db7fe1b8fbdb0865c0c1c3c470df58c9e995660d1979f50770de9f9"
"""Of `EXPERIMENT`, computed before language models had families."""


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
        (replaced("optimizer", steps=7), "optimizer.steps = 2000, not 7; choose another loop"),
        (replaced("optimizer", steps=2001), "optimizer.steps = 2000, not 2001; --more-steps acc"),
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


def test_steps_may_be_raised_with_the_flag(run):
    longer = replaced("optimizer", steps=3000)
    assert claim_run_directory(run, longer, more_steps=True) == (config_hash(EXPERIMENT),)
    # Killed before it saved: the flag is not needed again, and the first hash still counts.
    assert claim_run_directory(run, longer) == (config_hash(EXPERIMENT),)
    longest = replaced("optimizer", steps=4000)
    hashes = {config_hash(EXPERIMENT), config_hash(longer)}
    assert set(claim_run_directory(run, longest, more_steps=True)) == hashes
    with pytest.raises(InputError, match=r"optimizer\.steps = 4000, not 3000; choose another"):
        claim_run_directory(run, longer, more_steps=True)
    (run / "earlier.json").write_text("[]")
    with pytest.raises(InputError, match=r"earlier\.json: cannot be read: "):
        claim_run_directory(run, longest)


def test_steps_may_be_raised_at_a_constant_rate(tmp_path):
    constant = replaced("optimizer", final_fraction=1.0)
    claim_run_directory(tmp_path, constant)
    (tmp_path / "checkpoints" / "4").mkdir(parents=True)
    longer = replaced("optimizer", final_fraction=1.0, steps=3000)
    assert claim_run_directory(tmp_path, longer) == (config_hash(constant),)


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


def test_a_run_from_before_families_goes_on_with_its_own_hash(run):
    stored = json.loads((run / "config.json").read_text())
    del stored["llama"]["family"], stored["llama"]["rope_scaling"]
    (run / "config.json").write_text(json.dumps(stored))
    claim_run_directory(run, EXPERIMENT)
    assert json.loads((run / "config.json").read_text())["llama"]["family"] == "llama2"
    for change in ({"family": "llama3"}, {"rope_scaling": RopeScaling("llama3", factor=8.0)}):
        (run / "config.json").write_text(json.dumps(stored))
        other = replaced("llama", **change)
        with pytest.raises(InputError, match=r"this run was started with llama\.(family|rope_sc)"):
            claim_run_directory(run, other)
        assert config_hash(other) != config_hash(EXPERIMENT)


def test_the_hash_of_an_unchanged_experiment_is_that_of_before_families():
    assert config_hash(EXPERIMENT) == HASH_BEFORE_FAMILIES
