"""The training program as a whole: order, interruption, resuming, meshes; on tiny files."""

import dataclasses
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from stepdiff_jax.checkpoint import Checkpoints
from stepdiff_jax.config import Experiment, MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.interruption import Interrupted
from stepdiff_jax.training.loop import train
from stepdiff_jax.training.program import build_program

TIMINGS = {"tokens_per_second", "data_wait_seconds", "seconds"}


def in_directory(experiment: Experiment, directory: Path, **loop: int) -> Experiment:
    """The experiment with another run directory, and other fields of its loop."""
    changed = dataclasses.replace(experiment.loop, run_directory=str(directory), **loop)
    return dataclasses.replace(experiment, loop=changed)


def metrics(directory: Path) -> list[dict[str, float]]:
    """Lines of metrics.jsonl without what differs from run to run."""
    lines = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    return [{key: line[key] for key in line if key not in TIMINGS} for line in lines]


def saved(experiment: Experiment) -> Any:
    """The newest checkpoint of a run, as numpy arrays."""
    program, trainable, opt_state = build_program(experiment)
    directory = Path(experiment.loop.run_directory) / "checkpoints"
    with Checkpoints(directory, keep=9) as checkpoints:
        return jax.tree.map(np.asarray, checkpoints.restore(trainable, opt_state, program.metadata))


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
def uninterrupted(tiny, tmp_path_factory) -> tuple[Experiment, Any]:
    """A finished run on eight devices, and its last checkpoint."""
    experiment = in_directory(tiny, tmp_path_factory.mktemp("loop") / "uninterrupted")
    assert train(experiment) == Path(experiment.loop.run_directory)
    return experiment, saved(experiment)


def test_run_evaluates_before_it_saves_and_counts_the_batches_it_took(uninterrupted):
    experiment, checkpoint = uninterrupted
    directory = Path(experiment.loop.run_directory)
    order = [(line["step"], "validation_loss" in line) for line in metrics(directory)]
    evaluated = {(0, True), (5, True), (10, True)}
    assert order == sorted({(step, False) for step in range(1, 11)} | evaluated)
    # Every fourth step and the last were saved, and the two newest are kept.
    assert sorted(path.name for path in (directory / "checkpoints").iterdir()) == ["10", "8"]
    assert checkpoint.step == 10
    assert checkpoint.iterator_state["next_index"] == 10


def test_training_lowers_the_loss_and_moves_every_weight(uninterrupted):
    experiment, checkpoint = uninterrupted
    lines = metrics(Path(experiment.loop.run_directory))
    validation = [line["validation_loss"] for line in lines if "validation_loss" in line]
    assert validation[-1] < validation[0]
    _, initial, _ = build_program(experiment)
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), initial, checkpoint.trainable)
    assert all(jax.tree.leaves(moved)), moved


def test_interrupted_run_ends_bitwise_like_an_uninterrupted_one(uninterrupted, tmp_path):
    experiment, expected = uninterrupted
    again = in_directory(experiment, tmp_path)
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
    assert saved(again).step == 5
    train(again)
    assert_bitwise_equal(saved(again), expected)
    assert metrics(tmp_path) == metrics(Path(experiment.loop.run_directory))


def test_killed_run_goes_on_from_its_newest_complete_checkpoint(uninterrupted, tmp_path):
    experiment, expected = uninterrupted
    again = in_directory(experiment, tmp_path, checkpoint_every=2)
    step = random.randint(1, 8)
    process = in_subprocess(again, 8, tmp_path)
    written = tmp_path / "metrics.jsonl"
    while not (written.exists() and f'"step": {step}, "answer' in written.read_text()):
        assert process.poll() is None, f"ended before step {step}"
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    train(again)
    assert_bitwise_equal(saved(again), expected)
    assert metrics(tmp_path) == metrics(Path(experiment.loop.run_directory))


def test_one_device_gives_the_losses_of_eight(uninterrupted, tmp_path):
    experiment, _ = uninterrupted
    alone = dataclasses.replace(in_directory(experiment, tmp_path), mesh=MeshConfig())
    assert in_subprocess(alone, 1, tmp_path).wait() == 0
    for one, eight in zip(
        metrics(tmp_path), metrics(Path(experiment.loop.run_directory)), strict=True
    ):
        assert one == pytest.approx(eight, abs=1e-5)


def test_training_starts_from_the_weights_of_another_run(uninterrupted, tmp_path):
    experiment, _ = uninterrupted
    weights = dataclasses.replace(experiment.weights, initial_run=experiment.loop.run_directory)
    second = dataclasses.replace(in_directory(experiment, tmp_path), weights=weights)
    with pytest.raises(Interrupted):
        train(second, stop=lambda step: step == 0)
    last = metrics(Path(experiment.loop.run_directory))[-1]
    assert metrics(tmp_path) == [{"step": 0, "validation_loss": last["validation_loss"]}]


def test_run_with_other_frozen_weights_is_not_continued(uninterrupted, tmp_path):
    experiment, _ = uninterrupted
    copy = tmp_path / "llama.safetensors"
    weights = dataclasses.replace(experiment.weights, llama=str(copy))
    again = dataclasses.replace(in_directory(experiment, tmp_path / "run"), weights=weights)
    tensors = load_file(experiment.weights.llama)
    save_file(tensors, copy)
    with pytest.raises(Interrupted):
        train(again, stop=lambda step: step == 1)
    tensors["norm"] = tensors["norm"] + 1
    save_file(tensors, copy)
    with pytest.raises(InputError, match=r"checkpoints/1: .* fingerprint is \w+, this model's is"):
        train(again)


def test_run_without_a_run_to_start_from_is_an_input_error(tiny, tmp_path):
    weights = dataclasses.replace(tiny.weights, initial_run=str(tmp_path / "nowhere"))
    experiment = dataclasses.replace(in_directory(tiny, tmp_path / "run"), weights=weights)
    with pytest.raises(InputError, match="nowhere/checkpoints: no such directory"):
        train(experiment)


@pytest.mark.parametrize("field", ["checkpoint_every", "log_every", "evaluate_every"])
def test_impossible_interval_is_an_input_error(tiny, tmp_path, field):
    with pytest.raises(InputError, match=rf"loop\.{field} must be at least . got -1"):
        train(in_directory(tiny, tmp_path / "run", **{field: -1}))
    assert not (tmp_path / "run").exists()
