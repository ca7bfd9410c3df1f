"""Starts real `stepdiff train` processes for tests, with or without the launcher."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from stepdiff_jax.config import Experiment
from stepdiff_jax.config_files import to_dict

CONFIG = """
from pathlib import Path
from stepdiff_jax.config_files import read_experiment

def experiment():
    return read_experiment(Path(__file__).parent)
"""
TIMINGS = {"tokens_per_second", "tokens_per_second_per_device", "data_wait_seconds", "seconds"}


def write_config(experiment: Experiment, directory: Path) -> Path:
    """A config file that gives `experiment`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(to_dict(experiment)))
    path = directory / "config.py"
    path.write_text(CONFIG)
    return path


def launch(processes: int, devices: int, config: Path | str, *flags: str, **options: Any):
    """`python -m launch.local`, started."""
    counts = ("--processes", str(processes), "--devices-per-process", str(devices))
    command = [sys.executable, "-m", "launch.local", *counts, str(config), *flags]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def end(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit code and what it wrote to standard error."""
    _, told = process.communicate(timeout=500)
    return process.returncode, told


def environments(processes: int) -> list[dict[str, str]]:
    """The environment of each of several processes of one device, without the launcher."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    return [
        os.environ
        | {
            "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
            "JAX_COORDINATOR_BIND_ADDRESS": address,
            "STEPDIFF_COORDINATOR": address,
            "STEPDIFF_PROCESSES": str(processes),
            "STEPDIFF_PROCESS": str(number),
        }
        for number in range(processes)
    ]


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(process: subprocess.Popen) -> list[int]:
    """Process ids of the processes that it started, in their order."""
    return [
        int(word)
        for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]


def metrics(directory: Path) -> list[dict[str, float]]:
    """Lines of metrics.jsonl without what differs from run to run."""
    lines = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    return [{key: line[key] for key in line if key not in TIMINGS} for line in lines]


def wait_for_step(process: subprocess.Popen, directory: Path, step: int) -> None:
    """Wait until a run has logged a step."""
    written = directory / "metrics.jsonl"
    while not (written.exists() and f'"step": {step}, "answer' in written.read_text()):
        assert process.poll() is None, f"ended before step {step}: {end(process)}"
        time.sleep(0.02)
