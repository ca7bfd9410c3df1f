"""What a run tells: `metrics.jsonl`, TensorBoard events and a progress line, on process 0."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_LINE_SECONDS = 15.0
"""Without a terminal a line is printed at most this often."""


class Telemetry:
    """Writes figures of a run by step; a context manager. Other processes than 0 write nothing."""

    def __init__(self, run_directory: Path, name: str, *, steps: int, restored: int | None):
        """Opens the files for appending.

        Args:
            steps: of the whole run.
            restored: the step that the run goes on from; lines after it are dropped, so that the
                file ends up as an uninterrupted run's. None drops all.
        """
        self._metrics = run_directory / "metrics.jsonl"
        self._events = run_directory / "tensorboard"
        self._name = name
        self._steps = steps
        self._restored = restored
        self._active = jax.process_index() == 0
        self._console = Console(stderr=True)
        self._last_line = -PLAIN_LINE_SECONDS
        self._shown = ""

    def __enter__(self) -> "Telemetry":
        if not self._active:
            return self
        _drop_lines_after(self._metrics, -1 if self._restored is None else self._restored)
        self._file = self._metrics.open("a", encoding="utf-8")
        start = self._restored or 0
        # Where torch is installed, tensorboardX imports it: importing this package must not.
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(self._events), purge_step=start + 1)
        columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=self._console, disable=not self._console.is_terminal
        )
        self._progress.start()
        self._bar = self._progress.add_task(self._name, total=self._steps, completed=start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._active:
            self._progress.stop()
            self._writer.close()
            self._file.close()

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Write figures after `step` steps; those with "loss" in their name are shown too."""
        if not self._active:
            return
        self._file.write(json.dumps({"step": step, **figures}) + "\n")
        self._file.flush()
        for key, value in figures.items():
            self._writer.add_scalar(key, value, step)
        losses = [f"{key} {value:.4f}" for key, value in figures.items() if "loss" in key]
        if "tokens_per_second" in figures:
            losses.append(f"{figures['tokens_per_second']:.0f} tokens/s")
        self._shown = "  ".join(losses)

    def advance(self, step: int) -> None:
        """Show that `step` steps are done."""
        if not self._active:
            return
        if self._console.is_terminal:
            described = f"{self._name}  {self._shown}"
            self._progress.update(self._bar, completed=step, description=described)
        elif time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS or step == self._steps:
            self._last_line = time.monotonic()
            line = f"{self._name} {step}/{self._steps}  {self._shown}"
            print(line, file=sys.stderr, flush=True)


class Throughput:
    """Tokens a second and seconds waited for data, since they were last asked for."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._since = time.perf_counter()
        self._tokens = 0
        self._waited = 0.0

    def add(self, *, tokens: int, waited: float) -> None:
        """Count one batch."""
        self._tokens += tokens
        self._waited += waited

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done within takes no time."""
        began = time.perf_counter()
        yield
        self._since += time.perf_counter() - began

    def figures(self) -> dict[str, float]:
        """Figures since the last call; the first ones include compilation."""
        seconds = time.perf_counter() - self._since
        figures = {
            "tokens_per_second": self._tokens / seconds,
            "data_wait_seconds": self._waited,
            "seconds": seconds,
        }
        self._restart()
        return figures


def _drop_lines_after(path: Path, step: int) -> None:
    """Keep whole lines up to `step`; a line that a killed process left unfinished goes too."""
    if not path.exists():
        return
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    unfinished.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    unfinished.replace(path)


def _step(line: str) -> float:
    try:
        fields: dict[str, Any] = json.loads(line)
        return fields["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
