"""What a table says about one system: its lead over the second, by task and by category."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch.tables.rows import Measured, measured_only
from stepdiff_jax.evaluation.intervals import paired_comparison
from stepdiff_jax.evaluation.tasks import BENCHMARK_TASKS
from stepdiff_jax.jsonl import whole_lines
from stepdiff_jax.report.tables import decimal

OURS, BASE = "StepDiff", "Interleaved (AnyMAL)"

MAIN = {"diffcap": "CIDEr", "diffmcq": "accuracy", "diffrank": "ktau"}
"""Task -> the metric that its systems are ranked by (ours)."""

TITLES = {"diffcap": "DiffCap", "diffmcq": "DiffMCQ", "diffrank": "DiffRank"}


class Lead(NamedTuple):
    """StepDiff's difference to another system on a task, and its 95 % interval."""

    task: str
    other: str
    difference: float
    low: float
    high: float

    def sentence(self) -> str:
        """In words."""
        metric = MAIN[self.task].replace("ktau", "tau")
        between = f"{decimal(self.low)} to {decimal(self.high)}"
        ahead = "ahead of" if self.difference > 0 else "behind"
        sure = "" if self.low > 0 or self.high < 0 else ", so the order is not certain"
        return (
            f"{TITLES[self.task]}: {OURS} is {decimal(abs(self.difference))} {metric} {ahead} "
            f"{self.other} (95 % interval of the difference: {between}{sure})."
        )


def leads(rows: Sequence[Measured], benchmark: Path, apart: Sequence[str] = ()) -> list[Lead]:
    """StepDiff's lead over the best other system, on each task that both have done.

    Args:
        apart: names of rows that are not ranked.
    """
    found = []
    for task, metric in MAIN.items():
        ours, others = _done(rows, task, apart)
        if ours is not None and others:
            second = max(others, key=lambda one: one.metrics[metric] or 0.0)
            found.append(_lead(task, benchmark, ours, second))
    return found


def leads_over_each(rows: Sequence[Measured], benchmark: Path) -> list[Lead]:
    """StepDiff's lead over every other system, on each task that both have done."""
    found = []
    for task in MAIN:
        ours, others = _done(rows, task)
        if ours is not None:
            found += [_lead(task, benchmark, ours, other) for other in others]
    return found


def _done(
    rows: Sequence[Measured], task: str, apart: Sequence[str] = ()
) -> tuple[Measured | None, list[Measured]]:
    """StepDiff, and the others, if they have done the task."""
    done = [
        one
        for one in measured_only(rows)
        if one.row.name not in apart and one.metrics.get(MAIN[task]) is not None
    ]
    ours = next((one for one in done if one.row.name == OURS), None)
    return ours, [one for one in done if one is not ours]


def _lead(task: str, benchmark: Path, ours: Measured, other: Measured) -> Lead:
    compared = _compared(task, benchmark, ours, other)
    name = MAIN[task]
    if compared.get("ktau", {}).get("defined_lines_only"):
        name = "ktau_nan_as_zero"
    figures = compared[name]
    return Lead(task, other.row.name, figures["difference"], figures["low"], figures["high"])


def _compared(task: str, benchmark: Path, first: Measured, second: Measured) -> dict[str, Any]:
    known = BENCHMARK_TASKS[task]
    instances = known.instances(benchmark)
    ours, theirs = (
        {line.fields["id"]: line.fields for line in whole_lines(_log(one, task))}
        for one in (first, second)
    )
    both = [number for number in range(len(instances)) if number in ours and number in theirs]
    return paired_comparison(
        task,
        [instances[number] for number in both],
        known.predictions([dict(ours[number]) for number in both]),
        known.predictions([dict(theirs[number]) for number in both]),
    )


def improvement(rows: Sequence[Measured], task: str) -> dict[str, float]:
    """Category -> StepDiff's figure minus Interleaved's (Fig. 7); empty without one of them."""
    metric = "ktau_nan_as_zero" if task == "diffrank" else MAIN[task]
    by_name = {one.row.name: one.by_category(task, metric) for one in measured_only(rows)}
    ours, base = by_name.get(OURS, {}), by_name.get(BASE, {})
    return {name: ours[name] - base[name] for name in ours if name in base}


def _log(one: Measured, task: str) -> Path:
    assert one.predictions is not None
    return one.predictions / f"samples_{task}.jsonl"
