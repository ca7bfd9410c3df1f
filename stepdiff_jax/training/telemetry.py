"""Logging of a run, by process 0: metrics.jsonl, TensorBoard, Weights & Biases and progress."""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_text
from stepdiff_jax.progress import ProgressLine


class Telemetry:
    """Context manager that logs a run's figures by step. Only process 0 writes."""

    def __init__(
        self,
        run_directory: Path,
        name: str,
        *,
        steps: int,
        restored: int | None,
        wandb_project: str = "",
    ):
        """Opens the files for appending.

        Args:
            steps: number of steps of the whole run.
            restored: the step that the run resumes from; later lines are dropped, so that the
                file ends up like that of an uninterrupted run. None drops all lines.
            wandb_project: project of Weights & Biases; empty disables it.
        Raises:
            InputError: a project is given and the wandb package is not installed.
        """
        if wandb_project and importlib.util.find_spec("wandb") is None:
            raise InputError(f"loop.wandb_project {wandb_project!r} needs `pip install wandb`")
        self._wandb_project = wandb_project
        self._wandb: Any = None
        self._directory = run_directory
        self._metrics = run_directory / "metrics.jsonl"
        self._events = run_directory / "tensorboard"
        self._name = name
        self._steps = steps
        self._restored = restored
        self._active = jax.process_index() == 0
        self._shown = ""

    def __enter__(self) -> "Telemetry":
        if not self._active:
            return self
        _drop_lines_after(self._metrics, -1 if self._restored is None else self._restored)
        self._file = self._metrics.open("a", encoding="utf-8")
        start = self._restored or 0
        # tensorboardX imports torch if it is installed; importing this package must not.
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(self._events), purge_step=start + 1)
        if self._wandb_project:
            import wandb

            # A restart continues the same run, identified by its directory's name.
            self._wandb = wandb.init(
                project=self._wandb_project,
                name=self._name,
                id=hashlib.sha256(str(self._directory.resolve()).encode()).hexdigest()[:16],
                resume="allow",
                dir=str(self._directory),
            )
        self._progress = ProgressLine(self._name, self._steps, start).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._active:
            self._progress.__exit__(None, None, None)
            self._writer.close()
            self._file.close()
            if self._wandb is not None:
                self._wandb.finish()

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures after `step` steps; losses are also shown in the progress line."""
        if not self._active:
            return
        self._file.write(json.dumps({"step": step, **figures}) + "\n")
        self._file.flush()
        for key, value in figures.items():
            self._writer.add_scalar(key, value, step)
        if self._wandb is not None:
            self._wandb.log(dict(figures), step=step)
        losses = [f"{key} {value:.4f}" for key, value in figures.items() if "loss" in key]
        if "tokens_per_second" in figures:
            losses.append(f"{figures['tokens_per_second']:.0f} tokens/s")
        self._shown = "  ".join(losses)

    def advance(self, step: int) -> None:
        """Show that `step` steps are done."""
        if self._active:
            self._progress.reach(step, self._shown)


def _drop_lines_after(path: Path, step: int) -> None:
    """Keep complete lines up to `step`; drop any line left unfinished by a killed process."""
    if not path.exists():
        return
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
    write_text(path, "".join(f"{line}\n" for line in kept))


def _step(line: str) -> float:
    try:
        fields: dict[str, Any] = json.loads(line)
        return fields["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
