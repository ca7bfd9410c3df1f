"""The training program as a whole: order, interruption, resuming, meshes; on tiny files."""

import dataclasses
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from launching import metrics
from stepdiff_jax.checkpoint import Checkpoints, Restored
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.experiment_program import build_program
from stepdiff_jax.training.interruption import Interrupted
from stepdiff_jax.training.loop import train
from stepdiff_jax.training.program import Program


def in_directory(experiment: Experiment, directory: Path, **loop: int) -> Experiment:
    """The experiment with another run directory, and other fields of its loop."""
    changed = dataclasses.replace(experiment.loop, run_directory=str(directory), **loop)
    return dataclasses.replace(experiment, loop=changed)


class Run(NamedTuple):
    """An experiment, its program with fresh weights, and its newest checkpoint."""

    experiment: Experiment
    program: tuple[Program, Any, Any]
    checkpoint: Restored

    @property
    def directory(self) -> Path:
        return Path(self.experiment.loop.run_directory)


def saved(program: tuple[Program, Any, Any], directory: Path) -> Restored:
    """The newest checkpoint of a run, as numpy arrays."""
    fixed, trainable, opt_state = program
    with Checkpoints(directory / "checkpoints", keep=9) as checkpoints:
        restored = checkpoints.restore(trainable, opt_state, fixed.metadata)
    assert restored is not None
    return jax.tree.map(np.asarray, restored)


def assert_bitwise_equal(first: Any, second: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, first, second)


def in_subprocess(experiment: Experiment, devices: int, directory: Path) -> subprocess.Popen:
    """Start training it in another process."""
    pickled = directory / "experiment.pickle"
    pickled.write_bytes(pickle.dumps(experiment))
    program = (
        "import pickle, sys; from stepdiff_jax.training.loop import train; "
        "train(pickle.load(open(sys.argv[1], 'rb')))"
    )
    flags = f"--xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, "-c", program, str(pickled)], env=os.environ | {"XLA_FLAGS": flags}
    )


@pytest.fixture(scope="module")
def finished(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An uninterrupted run on eight devices."""
    experiment = in_directory(tiny, tmp_path_factory.mktemp("loop") / "finished [1]*? @3 50%")
    directory = train(experiment)
    assert directory == Path(experiment.loop.run_directory)
    program = build_program(experiment)
    return Run(experiment, program, saved(program, directory))


def test_run_evaluates_saves_and_counts_the_batches_it_took(finished):
    order = [(line["step"], "validation_loss" in line) for line in metrics(finished.directory)]
    evaluated = {(0, True), (5, True), (10, True)}
    assert order == sorted({(step, False) for step in range(1, 11)} | evaluated)
    # Every fourth step and the last were saved, and the two newest are kept.
    kept = (finished.directory / "checkpoints").iterdir()
    assert sorted(path.name for path in kept) == ["10", "8"]
    assert finished.checkpoint.step == 10
    assert finished.checkpoint.iterator_state["next_index"] == 10


def test_training_lowers_the_loss_and_moves_every_weight(finished):
    lines = metrics(finished.directory)
    validation = [line["validation_loss"] for line in lines if "validation_loss" in line]
    assert validation[-1] < validation[0]
    _, initial, _ = finished.program
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), initial, finished.checkpoint.trainable)
    assert all(jax.tree.leaves(moved)), moved


def test_interrupted_run_ends_bitwise_like_an_uninterrupted_one(finished, tmp_path):
    again = in_directory(finished.experiment, tmp_path)
    with pytest.raises(Interrupted) as stopped:
        train(again, stop=lambda step: step == 3)
    assert stopped.value.code == os.EX_TEMPFAIL

    def send_signal(step: int) -> bool:
        if step == 5:
            signal.raise_signal(signal.SIGTERM)
        return False

    # Stops where an evaluation is due, which is then not done twice.
    with pytest.raises(Interrupted):
        train(again, stop=send_signal)
    assert saved(finished.program, tmp_path).step == 5
    train(again)
    assert_bitwise_equal(saved(finished.program, tmp_path), finished.checkpoint)
    assert metrics(tmp_path) == metrics(finished.directory)


def test_killed_run_goes_on_from_its_newest_complete_checkpoint(finished, tmp_path):
    again = in_directory(finished.experiment, tmp_path, checkpoint_every=2)
    step = random.randint(1, 8)
    process = in_subprocess(again, 8, tmp_path)
    written = tmp_path / "metrics.jsonl"
    while not (written.exists() and f'"step": {step}, "answer' in written.read_text()):
        assert process.poll() is None, f"ended before step {step}"
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    train(again)
    assert_bitwise_equal(saved(finished.program, tmp_path), finished.checkpoint)
    assert metrics(tmp_path) == metrics(finished.directory)


def test_one_device_gives_the_losses_of_eight(finished, tmp_path):
    alone = in_directory(finished.experiment, tmp_path)
    assert in_subprocess(alone, 1, tmp_path).wait() == 0
    for one, eight in zip(metrics(tmp_path), metrics(finished.directory), strict=True):
        assert one == pytest.approx(eight, abs=1e-5)


def test_training_starts_from_the_weights_of_another_run(finished, tmp_path):
    weights = dataclasses.replace(finished.experiment.weights, initial_run=str(finished.directory))
    second = dataclasses.replace(in_directory(finished.experiment, tmp_path), weights=weights)
    with pytest.raises(Interrupted):
        train(second, stop=lambda step: step == 0)
    last = metrics(finished.directory)[-1]
    assert metrics(tmp_path) == [{"step": 0, "validation_loss": last["validation_loss"]}]


def test_run_with_other_frozen_weights_is_not_continued(finished, tmp_path):
    """The same experiment by its configuration; but the file has changed."""
    run = shutil.copytree(finished.directory, tmp_path / "run")
    again = in_directory(finished.experiment, run)
    path = Path(again.weights.llama)
    before = path.read_bytes()
    tensors = load_file(path)
    save_file(tensors | {"norm": tensors["norm"] + 1}, path)
    try:
        with pytest.raises(InputError, match=r"checkpoints/10: .* fingerprint is \w+, this model"):
            train(again)
    finally:
        path.write_bytes(before)


def test_run_without_a_run_to_start_from_is_an_input_error(tiny, tmp_path):
    weights = dataclasses.replace(tiny.weights, initial_run=str(tmp_path / "nowhere"))
    experiment = dataclasses.replace(in_directory(tiny, tmp_path / "run"), weights=weights)
    with pytest.raises(InputError, match="nowhere/checkpoints: no such directory"):
        train(experiment)


@pytest.mark.parametrize("field", ["checkpoint_every", "log_every", "evaluate_every"])
def test_impossible_interval_is_an_input_error(tiny, tmp_path, field):
    with pytest.raises(
        InputError, match=rf"loop\.{field} must be an integer from \d to 100000000, got -1"
    ):
        train(in_directory(tiny, tmp_path / "run", **{field: -1}))
    assert not (tmp_path / "run").exists()
