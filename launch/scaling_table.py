"""The table of docs/scaling.md: one compilation per row, each in a separate process.

`python -m launch.scaling_table` writes it. Rows compiled earlier are read from `--cache`; delete it
to compile all of them again (about two minutes each on one core).
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from stepdiff_jax.aot.topology import GIB
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_text


@dataclass(frozen=True)
class Row:
    """What to compile: a config with its preset, a slice, the storage of weights, rows per step."""

    config: str
    topology: str
    weights: str
    rows: int

    def arguments(self) -> list[str]:
        """Arguments of `stepdiff aot`."""
        quantization = "" if self.weights == "bfloat16" else self.weights
        return [
            self.config,
            *("--topology", self.topology),
            *("--llama.quantization", quantization),
            *("--data.batch-rows", str(self.rows)),
            "--json",
        ]


ROWS = (
    Row("stepdiff_7b", "v5e:2x2", "bfloat16", 32),
    Row("stepdiff_7b", "v5e:2x2", "int8", 32),
    Row("stepdiff_7b", "v5e:2x4", "bfloat16", 32),
    Row("stepdiff_7b", "v5p:2x2x1", "bfloat16", 32),
    Row("stepdiff_13b", "v5e:2x2", "int8", 16),
    Row("stepdiff_13b", "v5e:2x4", "bfloat16", 32),
    Row("stepdiff_13b", "v6e:2x2", "bfloat16", 32),
    Row("stepdiff_13b", "v5p:2x2x1", "bfloat16", 32),
    Row("stepdiff_70b", "v5e:2x2", "int4", 4),
    Row("stepdiff_70b", "v5e:2x4", "int8", 16),
    Row("stepdiff_70b", "v5e:4x4", "int8", 32),
    Row("stepdiff_70b", "v5e:4x4", "bfloat16", 32),
    Row("stepdiff_70b", "v6e:2x4", "bfloat16", 32),
    Row("stepdiff_70b", "v5p:2x2x1", "bfloat16", 32),
    Row("stepdiff_70b", "v5p:4x4x4", "bfloat16", 64),
    Row("stepdiff_70b@v5e", "v5e:16x16", "bfloat16", 256),
)
COLUMNS = (
    "config", "weights", "slice", "chips", "rows per step", "tokens per step", "arguments",
    "temporary", "peak", "of", "PFLOP per step", "s at 40 %", "s at 60 %", "s by schedule", "MFU",
    "s exposed",
)  # fmt: skip

HEADING = """# Slices

Written by `python -m launch.scaling_table`; sizes in GiB per chip. "By schedule" is the compiler's
own schedule, nothing of which is measured. See [scaling.md](scaling.md).

"""


def table(rows: Iterable[Row], cache: Path) -> str:
    """The table as Markdown, with sizes in GiB per chip."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        lines.append("| " + " | ".join(_cells(row, _measured(row, cache))) + " |")
    return "\n".join(lines) + "\n"


def _cells(row: Row, fit: Mapping[str, Any]) -> list[str]:
    sizes = [fit[key] for key in ("argument_bytes", "temporary_bytes", "peak_bytes")]
    memory = [f"{size / GIB:.2f}" if size is not None else "does not fit" for size in sizes]
    return [
        f"`{row.config}`",
        row.weights,
        fit["topology"],
        str(fit["chips"]),
        str(fit["rows"]),
        f"{fit['tokens']:,}",
        *memory,
        f"{fit['memory_bytes'] / GIB:.0f}",
        f"{fit['flops']['total'] / 1e15:.1f}",
        f"{fit['step_seconds']['40%']:.2f}",
        f"{fit['step_seconds']['60%']:.2f}",
        *_schedule(fit),
    ]


def _schedule(fit: Mapping[str, Any]) -> list[str]:
    """Time by the compiler's schedule; unknown where the program cannot be read back."""
    if fit["schedule_seconds"] is None:
        return ["unknown"] * 3
    return [
        f"{fit['schedule_seconds']:.2f}",
        f"{fit['estimated_mfu']:.0%}",
        f"{fit['exposed_collective_seconds']:.2f}",
    ]


def _measured(row: Row, cache: Path) -> Mapping[str, Any]:
    name = "-".join((row.config, row.topology, row.weights, str(row.rows))).replace(":", "-")
    path = cache / f"{name}.json"
    if not path.exists():
        command = [sys.executable, "-m", "launch", "aot", *row.arguments()]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            messages = done.stderr.strip().splitlines() or ["no message"]
            raise InputError(f"stepdiff aot {' '.join(row.arguments())}: {messages[-1]}")
        write_text(path, done.stdout)
        print(f"{name}: compiled", file=sys.stderr, flush=True)
    return json.loads(path.read_text())


@dataclass(frozen=True)
class Options:
    """Write the table of slices."""

    output: Path = Path("docs/scaling_table.md")
    cache: Path = Path("build/scaling")
    """Compiled rows, one JSON file each."""


if __name__ == "__main__":
    options = tyro.cli(Options)
    write_text(options.output, HEADING + table(ROWS, options.cache))
