"""The training program as a whole, on tiny files."""

import dataclasses
from pathlib import Path

from stepdiff_jax.config import Experiment
from stepdiff_jax.training.loop import train


def in_directory(experiment: Experiment, directory: Path, **loop: int) -> Experiment:
    """The experiment with another run directory, and other fields of its loop."""
    changed = dataclasses.replace(experiment.loop, run_directory=str(directory), **loop)
    return dataclasses.replace(experiment, loop=changed)


def test_runs(tiny, tmp_path):
    d = train(in_directory(tiny, tmp_path / "run"))
    print((d / "metrics.jsonl").read_text())
    train(in_directory(tiny, tmp_path / "run"))
