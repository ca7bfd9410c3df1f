"""Workers of a stage that Apache Beam starts: each does whole shards.

An element is the number of a shard, with the stage's command. Records go through files, never
through Beam: workers read the source and write the destination by path, so both must be on storage
that all share.
"""

import glob
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_prep.stage.beam.child import run_command
from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.exit_codes import BAD_INPUT, SAVED
from stepdiff_jax.files import write_json

RECORDS = 32
"""Records of a shard, unless there would be more than `MOST` shards."""

MOST = 1000
"""Shards at most: each reads the stage's whole input."""

REPORT_SECONDS = 2.0
_PREFIX = "stepdiff: error: "


@dataclass(frozen=True)
class BeamWorkers:
    """See `Workers`. `command` is the stage's, in words; `shards` is None for the default."""

    command: tuple[str, ...]
    runner: str
    options: tuple[str, ...] = ()
    shards: int | None = None

    def count(self, records: int) -> int:
        """See `Workers`; at least 2, as the files of a single shard are the whole's."""
        wanted = self.shards or min(MOST, -(-records // RECORDS))
        return max(2, min(wanted, records))

    def run(
        self,
        numbers: Sequence[int],
        count: int,
        is_done: Callable[[int], bool],
        failure: Callable[[int], Path],
    ) -> None:
        """See `Workers`."""
        from data_prep.stage.beam.pipeline import run_elements

        elements = [
            json.dumps(
                {
                    "command": [*self.command, "--shard", f"{number}/{count}"],
                    "directory": str(Path.cwd()),
                    "shard": f"{number}-of-{count}",
                    "failure": str(failure(number).absolute()),
                }
            )
            for number in numbers
        ]
        with _reported(self.command[2], numbers, count, is_done):
            run_elements(do_shard, elements, self.runner, self.options)
        for number in numbers:
            if failure(number).exists():
                _raise(failure(number))


def do_shard(element: str) -> None:
    """Do one shard; an error is written to its file of failure, and no further shard is begun.

    Errors are not raised: a runner would try the shard again in vain, and show a long traceback.
    """
    fields = json.loads(element)
    failure = Path(fields["failure"])
    stem = failure.name.removesuffix(f".{fields['shard']}{failure.suffix}")
    if any(failure.parent.glob(f"{glob.escape(stem)}.*-of-*{failure.suffix}")):
        return
    ended = run_command(_words(fields["command"]), Path(fields["directory"]))
    if ended.code:
        write_json(failure, ended._asdict())


def _words(command: Sequence[str]) -> list[str]:
    """The command without Beam's options, which end at the next option."""
    words: list[str] = []
    skipping = False
    for word in command:
        if word.startswith("--"):
            skipping = word.partition("=")[0].replace("_", "-").startswith("--beam-")
        if not skipping:
            words.append(word)
    return words


def _raise(failure: Path) -> None:
    found = json.loads(failure.read_text(encoding="utf-8"))
    failure.unlink()
    code, message = found["code"], found["message"]
    last = message.splitlines()[-1] if message else ""
    if code == BAD_INPUT:
        raise InputError(last.removeprefix(_PREFIX))
    if code == SAVED:
        raise OutsideFailure(last.removeprefix(_PREFIX) or "a worker was ended")
    raise RuntimeError(f"a shard ended with {code}:\n{message}")


@contextmanager
def _reported(
    stage: str, numbers: Sequence[int], count: int, is_done: Callable[[int], bool]
) -> Iterator[None]:
    """Report finished shards, as runners report nothing before they finish."""
    ended = threading.Event()
    start = time.monotonic()

    def report() -> None:
        waiting = list(numbers)
        while not ended.wait(REPORT_SECONDS):
            waiting = [number for number in waiting if not is_done(number)]
            done = len(numbers) - len(waiting)
            line = f"{stage}: {count - len(waiting)}/{count} shards"
            if done:
                left = (time.monotonic() - start) * len(waiting) / done
                line += f", {left:.0f} s remaining"
            print(line, file=sys.stderr, flush=True)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()
