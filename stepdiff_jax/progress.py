"""Progress on standard error: a bar on a terminal, otherwise a line now and then."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_LINE_SECONDS = 15.0
"""Minimum interval between lines when there is no terminal."""


class ProgressLine:
    """Context manager that shows how many of a known number are done."""

    def __init__(self, name: str, total: int, done: int = 0):
        """`done`: how many are done already."""
        self.name, self.total, self.done = name, total, done
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
        terminal = self._console.is_terminal
        self._progress = Progress(*columns, console=self._console, disable=not terminal)
        self._bar = self._progress.add_task(name, total=total, completed=done)
        self._last_line = -PLAIN_LINE_SECONDS

    def __enter__(self) -> "ProgressLine":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def reach(self, done: int, shown: str = "") -> None:
        """Show that `done` are done, and a text beside it."""
        self.done = done
        if self._console.is_terminal:
            self._progress.update(self._bar, completed=done, description=f"{self.name}  {shown}")
        elif time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS or done == self.total:
            self._last_line = time.monotonic()
            print(f"{self.name} {done}/{self.total}  {shown}", file=sys.stderr, flush=True)

    def advance(self, more: int) -> None:
        """Show that some more are done."""
        self.reach(self.done + more)
