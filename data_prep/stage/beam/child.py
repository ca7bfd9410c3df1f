"""The process that does a shard for a worker: the stage's own command, ended with the worker."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stepdiff_jax.exit_codes import SAVED

VARIABLE = "STEPDIFF_ENDS_WITH_STDIN"
"""Environment variable of a command that ends when its standard input does."""


class Ended(NamedTuple):
    """How a command ended: its exit code, and its last words."""

    code: int
    message: str


def run_command(words: Sequence[str], directory: Path) -> Ended:
    """Run a command of `stepdiff` in a directory; it is ended if this process ends.

    In a process of its own: a worker's may be one that must not start others, as Dask's.
    """
    environment = {**os.environ, VARIABLE: "1"}
    with subprocess.Popen(
        [*_program(words[0]), *words[1:]],
        cwd=directory,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr
        told = process.stderr.read()
        code = process.wait()
    if code in (-signal.SIGKILL, -signal.SIGTERM):
        return Ended(SAVED, f"a shard was killed (signal {-code}), as when memory runs out")
    return Ended(code, told.strip())


def end_with_stdin() -> None:
    """End this process when its standard input ends, if it was started by `run_command`."""
    if os.environ.pop(VARIABLE, ""):
        threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(SAVED)


def _program(name: str) -> list[str]:
    """The command in this interpreter's environment, or the one on the path."""
    beside = Path(sys.executable).with_name(name)
    return [sys.executable, str(beside)] if beside.exists() else [shutil.which(name) or name]
