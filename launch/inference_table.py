"""The inference table of docs: every program of a slice compiled, and the benchmark's cost from it.

`python -m launch.inference_table` writes it. Programs compiled earlier are read from `--cache`;
delete it to compile all of them again (about ten seconds each on one core).
"""

import json
import math
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

ROW_TOKENS = {"encode": 192, "score": 384, "prefill": 192, "generate": 192}
"""Program -> tokens of its rows; what the scorer chooses, and what a pair's captions need."""

CLIPS, PAIRS, CAPTIONS, RANKINGS = 8396, 6292, 22292, 3932
"""Of the paper's benchmark (section 3.4)."""

OPTIONS = 4
"""Likelihoods of an instance of DiffMCQ, and of DiffRank."""

CAPTION_TOKENS = 24
"""Of a caption, as the kind that the authors show has."""

ROW_CHOICES, ROW_RANKINGS = 2, 6.7
"""Likelihoods in a row of 384 tokens: nothing shared in DiffMCQ, whose file is not at hand; as many
as the released file of DiffRank comes to."""

COLUMNS = (
    "config", "weights", "slice", "chips", "sharing a model", "encode 32 clips", "score 16 rows",
    "prefill 4 rows", "a token of 64 branches", "peak", "of", "whole benchmark, min",
)  # fmt: skip

HEADING = """# Inference by slice

Written by `python -m launch.inference_table`: seconds by the compiler's own schedule, GiB per chip;
nothing of it was measured. A slice that holds several copies of a model runs that many times the
rows at once. What the columns mean, and what the benchmark consists of: [scaling.md](scaling.md).

"""


@dataclass(frozen=True)
class Row:
    """A published config, a slice, and the storage of weights."""

    config: str
    topology: str
    weights: str = "bfloat16"

    def arguments(self, program: str) -> list[str]:
        """Arguments of `stepdiff aot`."""
        quantization = "" if self.weights == "bfloat16" else self.weights
        return [
            self.config,
            *("--topology", self.topology, "--program", program),
            *("--llama.quantization", quantization),
            *("--batch.row-tokens", str(ROW_TOKENS[program]), "--json"),
        ]


ROWS = (
    Row("stepdiff_7b", "v5e:2x2"),
    Row("stepdiff_7b", "v5e:2x4"),
    Row("stepdiff_7b", "v5p:2x2x1"),
    Row("stepdiff_13b", "v5e:2x2", "int8"),
    Row("stepdiff_13b", "v5e:2x4"),
    Row("stepdiff_13b", "v6e:2x2"),
    Row("stepdiff_13b", "v5p:2x2x1"),
    Row("stepdiff_70b", "v5e:2x4", "int8"),
    Row("stepdiff_70b", "v5e:4x4", "int8"),
    Row("stepdiff_70b", "v5e:4x4"),
    Row("stepdiff_70b", "v6e:2x4"),
    Row("stepdiff_70b", "v5p:2x2x1"),
)

Compiled = Mapping[str, Any]
"""What `stepdiff aot --json` prints."""


def table(rows: Iterable[Row], cache: Path) -> str:
    """The table as Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        found = {program: compiled(row, program, cache) for program in ROW_TOKENS}
        lines.append("| " + " | ".join(cells(row, found)) + " |")
    return "\n".join(lines) + "\n"


def cells(row: Row, found: Mapping[str, Compiled]) -> list[str]:
    """A line of the table; a program that does not fit has no time."""
    score = found["score"]
    sharing = score["mesh"]["tensor"] * score["mesh"]["group"]
    peaks = [one["peak_bytes"] + one["beside_bytes"] for one in found.values() if one["fits"]]
    times = [time(one) for one in found.values()]
    known = all(isinstance(one, float) for one in times)
    shown = [f"{one:.3g}" if isinstance(one, float) else one for one in times]
    whole = f"{benchmark_seconds(found) / 60:.0f}" if known else ""
    return [
        *(f"`{row.config}`", row.weights, row.topology, str(score["chips"]), str(sharing)),
        *shown,
        *(f"{max(peaks, default=0) / GIB:.1f}", f"{score['memory_bytes'] / GIB:.0f}", whole),
    ]


def time(one: Compiled) -> float | str:
    """Seconds by the schedule, or why there are none."""
    if not one["fits"]:
        return "does not fit"
    seconds = one["schedule_seconds"]
    return "unknown" if seconds is None else seconds


def benchmark_seconds(found: Mapping[str, Compiled]) -> float:
    """Of all three tasks of the paper's benchmark, without reading videos and starting up."""
    times = {name: one["schedule_seconds"] for name, one in found.items()}
    rows = {name: one["rows"] for name, one in found.items()}
    branches = 4
    scored = OPTIONS * (CAPTIONS / ROW_CHOICES + RANKINGS / ROW_RANKINGS)
    return (
        math.ceil(CLIPS / rows["encode"]) * times["encode"]
        + math.ceil(PAIRS / rows["prefill"]) * times["prefill"]
        + CAPTIONS * CAPTION_TOKENS / (rows["generate"] * branches) * times["generate"]
        + scored / rows["score"] * times["score"]
    )


def compiled(row: Row, program: str, cache: Path) -> Compiled:
    """The report on a program, from the cache if it is there."""
    name = "-".join((row.config, row.topology, row.weights, program)).replace(":", "-")
    path = cache / f"{name}.json"
    if not path.exists():
        command = [sys.executable, "-m", "launch", "aot", *row.arguments(program)]
        done = subprocess.run(command, capture_output=True, text=True)
        if not done.stdout:
            messages = done.stderr.strip().splitlines() or ["no message"]
            raise InputError(f"stepdiff aot {' '.join(row.arguments(program))}: {messages[-1]}")
        write_text(path, done.stdout)
        print(f"{name}: compiled", file=sys.stderr, flush=True)
    return json.loads(path.read_text())


@dataclass(frozen=True)
class Options:
    """Write the table of inference by slice."""

    output: Path = Path("docs/inference_table.md")
    cache: Path = Path("build/inference")
    """Compiled programs, one JSON file each."""


if __name__ == "__main__":
    options = tyro.cli(Options)
    write_text(options.output, HEADING + table(ROWS, options.cache))
