"""Runs several processes of `stepdiff train` on this machine, each with virtual CPU devices.

    python -m launch.local --processes 2 --devices-per-process 4 CONFIG [--field value ...]
    python -m launch.local --processes 2 --devices-per-process 4 evaluate CONFIG --benchmark DIR ...

They are real processes that communicate through sockets, so a cluster job can be tried out here.
Process 0 writes to this terminal, the others to `logs/` in the run directory.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from launch.cli import Train
from launch.evaluate import parse
from launch.printing import print_any_name
from stepdiff_jax.arguments import load_config, parse_arguments
from stepdiff_jax.errors import InputError
from stepdiff_jax.exit_codes import BAD_INPUT, FAILED, PEER_LOST, SAVED

GRACE_SECONDS = 10
"""How long the others have to report the problem after one died, before they are killed."""

LEAVE_SECONDS = 60
"""How long the others have to finish after one has finished."""

PROGRAM = "launch.local"


class Local(NamedTuple):
    """The parsed command line."""

    processes: int
    devices: int
    command: str
    """`train` or `evaluate`."""
    arguments: Sequence[str]
    """Those of the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the processes and wait for them; returns the overall exit code.

    0 if all finished; 75 if all saved and should be restarted; 2 on invalid input; otherwise 1.
    """
    print_any_name()
    try:
        local = _parse(sys.argv[1:] if arguments is None else arguments)
        return run(local, RUN_DIRECTORIES[local.command](local.arguments) / "logs")
    except InputError as error:
        print(f"{PROGRAM}: error:", *str(error).splitlines(), file=sys.stderr)
        return BAD_INPUT


def _trained_run(arguments: Sequence[str]) -> Path:
    experiment, prog, rest = load_config(PROGRAM, arguments)
    options = parse_arguments(Train, rest, prog=prog, default=Train(experiment))
    return Path(options.experiment.loop.run_directory)


RUN_DIRECTORIES: Mapping[str, Callable[[Sequence[str]], Path]] = {
    "train": _trained_run,
    "evaluate": lambda arguments: parse(f"{PROGRAM} evaluate", arguments).directory,
}
"""Command -> where it writes, by its arguments."""


def run(local: Local, logs: Path) -> int:
    """Start the processes; the logs of all but the first go to `logs`. Returns as `main` does."""
    coordinator = f"127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "launch", local.command, *local.arguments]
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        processes: list[subprocess.Popen] = []
        stack.callback(lambda: _kill(processes))
        # Before the first process starts, so that no signal can leave it orphaned.
        _forward_signals(processes)
        for number in range(local.processes):
            log = None
            if number:
                log = stack.enter_context(_log(logs, number).open("ab"))
            processes.append(
                subprocess.Popen(
                    command,
                    env=os.environ | _environment(local, coordinator, number),
                    stdout=log,
                    stderr=log,
                    # Ctrl-C in a terminal arrives only once, forwarded by this process.
                    start_new_session=True,
                )
            )
        return _wait(processes, logs)


def _wait(processes: Sequence[subprocess.Popen], logs: Path) -> int:
    """Wait for all processes; if one fails, end the others and report which failed."""
    died: list[int] = []
    deadline = float("inf")
    while any(process.poll() is None for process in processes):
        codes = [process.returncode for process in processes]
        failed = [number for number, code in enumerate(codes) if code not in (None, 0, SAVED)]
        if failed and not died:
            died, deadline = failed, time.monotonic() + GRACE_SECONDS
        elif deadline == float("inf") and any(code is not None for code in codes):
            deadline = time.monotonic() + LEAVE_SECONDS
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    codes = [process.poll() for process in processes]
    _kill(processes)
    return _verdict(codes, died, logs)


def _verdict(codes: Sequence[int | None], died: Sequence[int], logs: Path) -> int:
    """The overall exit code; prints a line if it is a failure.

    Args:
        codes: exit codes of all processes; None for those that had to be killed.
        died: the processes that failed first.
    """
    if all(code == 0 for code in codes):
        return 0
    if all(code in (0, SAVED) for code in codes):
        return SAVED
    failed = [number for number, code in enumerate(codes) if code not in (0, SAVED)]
    # Processes that ended, or that JAX aborted, because they lost another are not the cause.
    follower = (PEER_LOST, -signal.SIGABRT)
    cause = min(died or failed, key=lambda number: (codes[number] in follower, number))
    where = f"; its log is {_log(logs, cause)}" if cause else ""
    print(
        f"{PROGRAM}: error: process {cause} of {len(codes)} {_fate(codes[cause])}; the others were "
        f"ended{where}",
        file=sys.stderr,
        flush=True,
    )
    return BAD_INPUT if codes[cause] == BAD_INPUT else FAILED


def _fate(code: int | None) -> str:
    if code is None:
        return f"did not end within {LEAVE_SECONDS} s after the others"
    if code < 0:
        return f"died of {signal.Signals(-code).name} (exit code {128 - code})"
    return f"ended with exit code {code}"


def _kill(processes: Sequence[subprocess.Popen]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def _forward_signals(processes: Sequence[subprocess.Popen]) -> None:
    """Forward SIGTERM and SIGINT to all processes, which save and exit with 75."""

    def forward(number: int, _: FrameType | None) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)


def _environment(local: Local, coordinator: str, number: int) -> Mapping[str, str]:
    devices = f"--xla_force_host_platform_device_count={local.devices}"
    return {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {devices}".strip(),
        "JAX_COORDINATOR_BIND_ADDRESS": coordinator,
        "STEPDIFF_COORDINATOR": coordinator,
        "STEPDIFF_PROCESSES": str(local.processes),
        "STEPDIFF_PROCESS": str(number),
        "PYTHONUNBUFFERED": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _log(logs: Path, number: int) -> Path:
    return logs / f"process-{number}.log"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {PROGRAM} --help)")


def _parse(arguments: Sequence[str]) -> Local:
    parser = _Parser(
        prog=PROGRAM,
        description="Run several processes of `stepdiff train` or `evaluate` on this machine, with "
        "virtual CPU devices.",
    )
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--devices-per-process", type=int, required=True)
    words = "[train | evaluate] CONFIG [--field value ...]"
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar=words)
    found = parser.parse_args(arguments)
    for name in ("processes", "devices_per_process"):
        if getattr(found, name) < 1:
            flag = name.replace("_", "-")
            raise InputError(f"--{flag} must be positive, got {getattr(found, name)}")
    command, words = "train", found.words
    if words[:1] and words[0] in RUN_DIRECTORIES:
        command, *words = words
    return Local(found.processes, found.devices_per_process, command, words)


if __name__ == "__main__":
    sys.exit(main())
