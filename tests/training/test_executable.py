"""A compiled step goes through a file and trains as if it had been compiled here."""

import dataclasses
import json
from pathlib import Path

import pytest

from launch.cli import main
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.training.abstract import lower_step
from stepdiff_jax.training.executable import compile_anew, save_executable
from stepdiff_jax.training.loop import train
from stepdiff_jax.training.run_directory import program_hash


@pytest.fixture(scope="module")
def executable(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("aot") / "step.xla"
    lower_step(tiny, make_mesh(tiny.mesh)).compile()  # is in the compilation cache now
    compiled = compile_anew(lower_step(tiny, make_mesh(tiny.mesh)))
    save_executable(compiled, path, config_hash=program_hash(tiny))
    return path


def losses(tiny: Experiment, directory: Path, compiled: Path | None) -> list[float]:
    loop = dataclasses.replace(tiny.loop, run_directory=str(directory))
    run = train(dataclasses.replace(tiny, loop=loop), compiled=compiled)
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_losses_are_those_of_a_step_compiled_here(tiny, executable, tmp_path):
    assert losses(tiny, tmp_path / "a", executable) == losses(tiny, tmp_path / "b", None)


def test_another_experiment_or_mesh_is_refused(tiny, executable, tmp_path):
    other = dataclasses.replace(tiny, optimizer=dataclasses.replace(tiny.optimizer, peak_rate=0.5))
    mesh = dataclasses.replace(tiny, mesh=dataclasses.replace(tiny.mesh, tensor=2))
    for changed in (other, mesh):
        with pytest.raises(InputError, match=r"step\.xla: compiled with config_hash"):
            losses(changed, tmp_path / "run", executable)


@pytest.mark.parametrize("content", [b"", b"no executable", b"[1]\nx"])
def test_a_file_of_something_else_is_one_line(tiny, tmp_path, content):
    path = tmp_path / "step.xla"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"step.xla: not an executable of `stepdiff aot --save`"):
        losses(tiny, tmp_path / "run", path)


def test_train_takes_the_file(capsys):
    assert main(["train", "kitchen", "--compiled", "nowhere.xla", "--loop.log-every", "0"]) == 2
    assert "loop.log_every" in capsys.readouterr().err
