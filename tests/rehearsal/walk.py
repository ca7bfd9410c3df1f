"""Runs commands as a user types them, checks what they leave, and prints the table at the end."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

COMMAND = str(Path(sys.executable).parent / "stepdiff")
SHORTEST_WAIT = 0.05


class Failed(Exception):
    """A command ended otherwise than it should, or left something else than it should."""


@dataclass(frozen=True)
class Step:
    """A row of the table."""

    name: str
    command: str
    seconds: float
    checked: str


@dataclass
class Walk:
    """The steps that were taken in `directory`, in which every command runs."""

    directory: Path
    steps: list[Step] = field(default_factory=list)

    def run(
        self,
        name: str,
        *words: object,
        check: Callable[[str], str],
    ) -> str:
        """Run `stepdiff WORDS...`; returns its standard output.

        Args:
            check: raises Failed, or says in a few words what was checked in the output and files.
        Raises:
            Failed: an exit code other than 0, a stack trace, or the check.
        """
        started = time.monotonic()
        ended = self._ended(words)
        if ended.returncode != 0 or "Traceback" in ended.stderr:
            raise Failed(f"{name}: exit code {ended.returncode}:\n{_tail(ended.stderr)}")
        self.take(name, words, time.monotonic() - started, check(ended.stdout))
        return ended.stdout

    def fail(self, name: str, *words: object, check: Callable[[str], str]) -> None:
        """Run `stepdiff WORDS...`, which must fail without a stack trace.

        Args:
            check: as in `run`, of the standard error.
        Raises:
            Failed: exit code 0, a stack trace, or the check.
        """
        started = time.monotonic()
        ended = self._ended(words)
        if ended.returncode == 0 or "Traceback" in ended.stderr:
            raise Failed(f"{name}: exit code {ended.returncode}:\n{_tail(ended.stderr)}")
        self.take(name, words, time.monotonic() - started, check(ended.stderr))

    def kill(self, name: str, *words: object, when: Callable[[], bool], checked: str) -> None:
        """Start `stepdiff WORDS...` and send SIGKILL as soon as `when` holds.

        Raises:
            Failed: it ended before.
        """
        command = self._announce(words)
        started = time.monotonic()
        log = self.directory / "killed.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                command, cwd=self.directory, stdout=file, stderr=file, start_new_session=True
            )
            while not when():
                if process.poll() is not None:
                    tail = _tail(log.read_text())
                    raise Failed(f"{name}: ended with {process.returncode} too early:\n{tail}")
                time.sleep(SHORTEST_WAIT)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.take(name, words, time.monotonic() - started, checked)

    def take(self, name: str, words: tuple[object, ...], seconds: float, checked: str) -> None:
        """Add a row to the table."""
        self.steps.append(Step(name, shlex.join(map(str, words)), seconds, checked))
        print(f"  {seconds:.1f} s: {checked}", flush=True)

    def table(self) -> None:
        """Print every step: its name, command, seconds, and what was checked."""
        table = Table("step", "command", "seconds", "checked")
        for step in self.steps:
            table.add_row(step.name, step.command[:100], f"{step.seconds:.1f}", step.checked)
        total = sum(step.seconds for step in self.steps)
        Console(width=None if sys.stdout.isatty() else 200).print(table)
        print(f"{len(self.steps)} steps in {total:.0f} s")

    def _ended(self, words: tuple[object, ...]) -> subprocess.CompletedProcess[str]:
        command = self._announce(words)
        return subprocess.run(command, cwd=self.directory, capture_output=True, text=True)

    def _announce(self, words: tuple[object, ...]) -> list[str]:
        texts = [str(word) for word in words]
        print(f"$ stepdiff {shlex.join(texts)}", flush=True)
        return [COMMAND, *texts]


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-15:])


def require(condition: bool, problem: str) -> None:
    """Raise Failed with `problem` unless the condition holds."""
    if not condition:
        raise Failed(problem)
