"""What a language model costs, beside what it achieves: sizes and families in one table (ours)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launch.tables.markdown import cell, heading
from launch.tables.page import figure_cell
from launch.tables.paper import METRICS
from launch.tables.rows import Measured
from stepdiff_jax.config import Experiment
from stepdiff_jax.jsonl import whole_lines
from stepdiff_jax.report.page import Html, element
from stepdiff_jax.report.tables import MISSING
from stepdiff_jax.training.flops import layer_weights, step_flops

HEADS = ("language model", "weights", "TFLOP per training step", "training, minutes")


@dataclass(frozen=True)
class Cost:
    """weights: parameters of the language model.

    step_flops: analytic, of one training step, without rematerialisation.
    training_seconds: as logged by the run; None without a run. Other work on the machine counts.
    """

    weights: int
    step_flops: float
    training_seconds: float | None


@dataclass(frozen=True)
class SizeRow:
    """A language model by name, StepDiff's figures with it, and what it costs."""

    name: str
    measured: Measured
    cost: Cost

    def stored(self) -> dict[str, Any]:
        """As JSON values."""
        metrics = {name: self.measured.metrics.get(name) for name in METRICS}
        return {"name": self.name, "metrics": metrics, **asdict(self.cost)}


def cost_of(experiment: Experiment, run: Path | None = None) -> Cost:
    """The cost of an experiment; `run`: its run directory if it is another than the config's."""
    llama = experiment.llama
    tables = (1 if llama.tied_embeddings else 2) * llama.vocabulary_size * llama.width
    norms = (2 * llama.layers + 1) * llama.width
    return Cost(
        llama.layers * layer_weights(llama) + tables + norms,
        step_flops(experiment).useful,
        _training_seconds(run or Path(experiment.loop.run_directory)),
    )


def _training_seconds(run: Path) -> float | None:
    path = run / "metrics.jsonl"
    if not path.exists():
        return None
    return sum(line.fields.get("seconds", 0.0) for line in whole_lines(path))


def sizes_markdown(rows: Sequence[SizeRow]) -> str:
    """Cost beside quality, a line for each language model."""
    heads = [*HEADS, *map(heading, METRICS)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in rows:
        figures = (cell(one.measured, metric).replace("**", "") for metric in METRICS)
        lines.append(f"| {' | '.join([*_costs(one), *figures])} |")
    return "\n".join(lines) + "\n"


def sizes_html(rows: Sequence[SizeRow]) -> Html:
    """The same as an element."""
    heads = [element("th", name, scope="col") for name in (*HEADS, *map(heading, METRICS))]
    lines = [
        element(
            "tr",
            element("th", one.name, scope="row"),
            *(element("td", text) for text in _costs(one)[1:]),
            *(figure_cell(one.measured, metric) for metric in METRICS),
        )
        for one in rows
    ]
    table = element(
        "table", element("thead", element("tr", *heads)), element("tbody", *lines), class_="results"
    )
    return element("div", table, class_="scroll")


def _costs(one: SizeRow) -> list[str]:
    cost, seconds = one.cost, one.cost.training_seconds
    return [
        one.name,
        _count(cost.weights),
        f"{cost.step_flops / 1e12:.3g}",
        MISSING if seconds is None else f"{seconds / 60:.1f}",
    ]


def _count(number: int) -> str:
    unit, size = next(
        ((unit, size) for unit, size in (("B", 10**9), ("M", 10**6)) if number >= size),
        ("K", 10**3),
    )
    return f"{number / size:.3g} {unit}"
