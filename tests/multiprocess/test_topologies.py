"""The same training, by one, two and four processes."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from launching import end, launch, metrics, write_config
from stepdiff_jax.config import Experiment
from stepdiff_jax.training.loop import train
from tiny_experiment import write_tiny_experiment


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Four steps of this process with its eight devices, saved every second one."""
    root = tmp_path_factory.mktemp("topologies")
    tiny = write_tiny_experiment(root)
    experiment = dataclasses.replace(
        tiny,
        optimizer=dataclasses.replace(tiny.optimizer, steps=4),
        loop=dataclasses.replace(tiny.loop, checkpoint_every=2, evaluate_every=4),
    )
    train(experiment)
    return experiment


def lines_of(alone: Experiment) -> list[dict[str, float]]:
    return metrics(Path(alone.loop.run_directory))


def assert_equal(found: list[dict[str, float]], wanted: list[dict[str, float]]) -> None:
    """The same lines; where `found` evaluated nothing, its steps'."""
    if not any("validation_loss" in line for line in found):
        wanted = [line for line in wanted if "validation_loss" not in line]
    for one, other in zip(found, wanted, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
        # How many tokens were answered, and so which rows were read, is exact.
        assert one.get("answer_tokens") == other.get("answer_tokens")


def test_losses_of_two_processes_are_those_of_one_and_four_go_on_from_them(alone, tmp_path):
    config = write_config(alone, tmp_path)
    run = tmp_path / "two"
    mesh = ("--mesh.fsdp", "4", "--mesh.tensor", "2", "--loop.evaluate-every", "0")
    assert end(launch(2, 4, config, "--loop.run-directory", str(run), *mesh))[0] == 0
    assert_equal(metrics(run), lines_of(alone))
    assert (run / "logs" / "process-1.log").is_file()

    again = shutil.copytree(run, tmp_path / "four")
    shutil.rmtree(again / "checkpoints" / "4")
    mesh = ("--mesh.data", "2", "--mesh.fsdp", "2", "--mesh.tensor", "2")
    flags = ("--loop.run-directory", str(again), "--loop.evaluate-every", "0", *mesh)
    assert end(launch(4, 2, config, *flags))[0] == 0
    assert_equal(metrics(again), lines_of(alone))


def test_processes_that_a_tensor_axis_spans_read_the_same_rows(alone, tmp_path):
    config = write_config(alone, tmp_path)
    run = ("--loop.run-directory", str(tmp_path / "run"))
    assert end(launch(2, 1, config, *run, "--mesh.fsdp", "1", "--mesh.tensor", "2"))[0] == 0
    assert_equal(metrics(tmp_path / "run"), lines_of(alone))
