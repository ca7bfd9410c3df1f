"""Commands of `stepdiff` that end their own process with SIGKILL at a chosen moment.

A moment is a number of lines of data_prep and of stepdiff_jax/jsonl.py that have run: the same in
every run, whatever else the machine does, and never within the imports.
"""

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import data_prep
from launch.cli import main
from stepdiff_jax import jsonl

OURS = (str(Path(data_prep.__file__).parent) + os.sep, jsonl.__file__)

# Imported here and in the process that commands are forks of, so that no class body runs within a
# command, of which each then runs the same lines in both.
IMPORTED = (
    "launch.chain",
    "data_prep.frames.stage",
    "data_prep.inspect.stage",
    "data_prep.records.pack",
    "data_prep.records.sequences.stage",
    "data_prep.sources.clips",
    "data_prep.sources.registry",
    "data_prep.text.describe.backends",
    "data_prep.text.filter.stage",
    "data_prep.text.pair.stage",
    "data_prep.text.question.stage",
)
for name in IMPORTED:
    importlib.import_module(name)

# One process imports all, once; each command is a fork of it, and starts at once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(list(IMPORTED))


def killed(words: Sequence[str], directory: Path, moment: int) -> int | None:
    """Exit code of `stepdiff WORDS` in `directory`, killed after `moment` lines."""
    process = PROCESSES.Process(target=_run_until, args=(tuple(words), directory, moment))
    process.start()
    process.join()
    return process.exitcode


def counted(words: Sequence[str]) -> tuple[int, list[int]]:
    """Lines that `stepdiff WORDS` runs, in this process, and which of them write JSON Lines."""
    lines = 0
    writing = []

    def count(code: CodeType) -> None:
        nonlocal lines
        lines += 1
        if code is jsonl.write_jsonl.__code__:
            writing.append(lines)

    assert _traced(words, count) == 0
    return lines, writing


def _run_until(words: Sequence[str], directory: Path, moment: int) -> None:
    os.chdir(directory)
    left = moment

    def count(_: CodeType) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _traced(words, count)


def _traced(words: Sequence[str], count: Callable[[CodeType], None]) -> int:
    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return line if _is_ours(frame.f_code) else None

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            count(frame.f_code)
        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        return main(words)
    finally:
        sys.settrace(before)


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(OURS) and code.co_name != "<module>"
