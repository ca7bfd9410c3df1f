"""What clusters do to jobs, done to real processes."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from launching import children, end, environments, launch, metrics, wait_for_step, write_config
from stepdiff_jax.checkpoint import load_trained
from stepdiff_jax.config import Experiment
from stepdiff_jax.exit_codes import STUCK
from stepdiff_jax.training.experiment_program import build_program
from tiny_experiment import write_tiny_experiment


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Eight steps, saved every second one."""
    experiment = write_tiny_experiment(tmp_path_factory.mktemp("faults"))
    loop = dataclasses.replace(experiment.loop, checkpoint_every=2, evaluate_every=0)
    optimizer = dataclasses.replace(experiment.optimizer, steps=8)
    return dataclasses.replace(experiment, loop=loop, optimizer=optimizer)


def saved_steps(run: Path) -> list[int]:
    return sorted(int(path.name) for path in (run / "checkpoints").iterdir())


def test_killed_and_preempted_run_ends_like_an_uninterrupted_one(tiny, tmp_path):
    config = write_config(tiny, tmp_path)
    undisturbed = Path(tiny.loop.run_directory)
    assert end(launch(2, 1, config))[0] == 0
    run = tmp_path / "run"
    arguments = (2, 1, config, "--loop.run-directory", str(run))

    job = launch(*arguments)
    wait_for_step(job, run, 3)
    os.kill(children(job)[1], signal.SIGKILL)
    code, told = end(job)
    assert code == 1
    error = told.splitlines()[-1]
    assert re.match(
        r"launch\.local: error: process 1 of 2 died of SIGKILL \(exit code 137\)", error
    )

    job = launch(*arguments)
    wait_for_step(job, run, 5)
    os.kill(children(job)[1], signal.SIGTERM)
    code, told = end(job)
    assert code == os.EX_TEMPFAIL, told
    # Saved at the step that both agreed on, not at the last even one.
    assert metrics(run)[-1]["step"] == saved_steps(run)[-1] < 8

    assert end(launch(*arguments))[0] == 0
    assert metrics(run) == metrics(undisturbed)
    _, fresh, _ = build_program(tiny)
    weights = (load_trained(directory, fresh) for directory in (run, undisturbed))
    jax.tree.map(np.testing.assert_array_equal, *weights)


def test_process_that_stands_still_is_noticed_by_the_others(tiny, tmp_path):
    """Stopped, not dead: its sockets stay open, so nothing but time tells."""
    config, run = write_config(tiny, tmp_path), tmp_path / "run"
    watchdog = ("--loop.watchdog-seconds", "15", "--optimizer.steps", "1000")
    job = launch(2, 1, config, "--loop.run-directory", str(run), *watchdog)
    wait_for_step(job, run, 2)
    os.kill(children(job)[1], signal.SIGSTOP)
    code, told = end(job)
    assert code == 1
    assert "error: no step ended for 15 s after step" in told
    assert re.search(r'loop\.py", line \d+ in run', told), "no stack of the training loop"
    assert f"process 0 of 2 ended with exit code {STUCK}; the others" in told.splitlines()[-1]


def test_watchdog_lets_a_run_that_moves_alone():
    program = (
        "import time\nfrom stepdiff_jax.training.watchdog import Watchdog\n"
        "with Watchdog(4, startup_seconds=0) as watchdog:\n"
        "    for step in range(10):\n        time.sleep(0.5); watchdog.beat(step)\n"
        "time.sleep(4.5)\n"
        "with Watchdog(1, startup_seconds=0): time.sleep(100)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == STUCK
    assert "error: no step ended for 1 s after step 0" in found.stderr


COLLECTIVE = "process_allgather(np.zeros(1))"


@pytest.mark.parametrize(
    ("dead", "other"), [(0, COLLECTIVE), (1, COLLECTIVE), (1, "time.sleep(1000)")]
)
def test_death_of_one_process_ends_the_other_without_a_launcher(dead, other):
    """What the processes themselves see: in a collective, and where nothing but the missing
    heartbeat tells."""
    program = (
        "import os, signal, time\nimport jax, numpy as np\n"
        "from jax.experimental.multihost_utils import process_allgather\n"
        "from stepdiff_jax.training.processes import joined_processes\n"
        "with joined_processes():\n"
        f"    {COLLECTIVE}\n"
        f"    if jax.process_index() == {dead}: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"    {other}\n"
    )
    command = [sys.executable, "-c", program]
    pair = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for environment in environments(2)
    ]
    outcome = [process.communicate(timeout=300) for process in pair]
    assert pair[dead].returncode == -signal.SIGKILL
    assert pair[1 - dead].returncode in (os.EX_UNAVAILABLE, -signal.SIGABRT)
    assert re.search("lost another process|another task died", outcome[1 - dead][1])
