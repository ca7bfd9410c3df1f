"""The kitchen's Table 1 from `results.json`: columns, rows, StepDiff's ranks, notes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stepdiff_jax.report.tables import TABLE_1, Column, Row, decimal, place, ranking

OURS = "StepDiff"
CEILING = "Ceiling (true descriptions)"
CEILING_SHOWN = "Language model's own ceiling: Socratic with the true descriptions"
UNDEFINED_MARK = "†"

BLEU, CIDER, ROUGE_L, ACCURACY, TAU = TABLE_1
ATTRIBUTES = Column("attributes", "DiffCap", "words\ncorrect")
ALL_ATTRIBUTES = Column("all_attributes", "DiffCap", "all four\ncorrect")
COLUMNS = (BLEU, CIDER, ROUGE_L, ATTRIBUTES, ALL_ATTRIBUTES, ACCURACY, TAU)
LEADING = (ATTRIBUTES, ACCURACY, TAU)
"""The main metric of each task; captions are measured by their attributes (**ours**)."""

GUESSING_TAU_DEVIATION = math.sqrt(2 * (2 * 4 + 5) / (9 * 4 * 3))
"""Standard deviation of Kendall's tau of four items in random order (Kendall 1938)."""


def rows_of(results: Mapping[str, Any]) -> list[Row]:
    """Table rows from the "systems" in `results.json`.

    If the official tau is undefined, undefined lines count as 0 and the row is marked.
    """
    rows = []
    for system, by_seed in results["systems"].items():
        runs = [_metrics(measured) for measured in by_seed.values()]
        marks = {TAU.metric: UNDEFINED_MARK} if _undefined(by_seed) else {}
        apart = system == CEILING
        rows.append(Row(CEILING_SHOWN if apart else system, runs, apart, marks))
    return rows


def places(rows: Sequence[Row]) -> str:
    """A sentence with StepDiff's rank on each task."""
    entries = []
    for column in LEADING:
        where = place(rows, column.metric, OURS)
        if where is not None:
            systems = len(ranking(rows, column.metric))
            entries.append(f"{ordinal(where)} of {systems} on {column.task}")
    return f"{OURS} is {', '.join(entries)}." if entries else f"{OURS} is not in the table."


def ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def notes(results: Mapping[str, Any]) -> list[str]:
    """Notes for reading the table: instances, chance, seeds, expected errors."""
    instances = results["counts"]["benchmark"][results["split"]]
    by_task = {column.task: instances[column.task.lower()] for column in LEADING}
    counts = ", ".join(f"{number} of {task}" for task, number in by_task.items())
    # A share's standard error is largest at one half.
    caption, choice = (0.5 / math.sqrt(by_task[task]) for task in ("DiffCap", "DiffMCQ"))
    tau = GUESSING_TAU_DEVIATION / math.sqrt(by_task["DiffRank"])
    seeds = len(results["seeds"])
    lines = [
        f"Instances: {counts}. Chance: accuracy {decimal(0.25)}, tau {decimal(0.0)}.",
        "Words right: share of the four attribute words, two per video, that captions name "
        "correctly. All four right: share of captions that name all of them correctly.",
        "One seed of the resampler's training."
        if seeds == 1
        else f"Mean ± sample standard deviation over {seeds} seeds of the resampler's training.",
        "Expected standard error for this number of instances, if they were independent: at most "
        f"{decimal(caption)} for shares of words and captions, at most {decimal(choice)} for "
        f"accuracy, about {decimal(tau)} for tau.",
    ]
    undefined = {name: _undefined(by_seed) for name, by_seed in results["systems"].items()}
    if any(undefined.values()):
        listed = ", ".join(f"{system} {count}" for system, count in undefined.items() if count)
        lines.append(
            f"{UNDEFINED_MARK} The official tau is undefined if a system gives all four targets of "
            f"a line the same score; such lines count as 0 here. Lines over all seeds: {listed}."
        )
    return lines


def _metrics(measured: Mapping[str, Any]) -> dict[str, float | None]:
    metrics = dict(measured["metrics"])
    rank = measured["tasks"].get("diffrank", {})
    if rank.get("undefined"):
        metrics[TAU.metric] = rank["ktau_nan_as_zero"]
    return metrics


def _undefined(by_seed: Mapping[str, Any]) -> int:
    """Number of DiffRank lines with undefined tau, over all seeds."""
    ranks = (measured["tasks"].get("diffrank", {}) for measured in by_seed.values())
    return sum(rank.get("undefined", 0) for rank in ranks)
