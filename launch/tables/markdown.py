"""A table of results as Markdown: ours, its interval, and the paper's figure."""

from collections.abc import Sequence

from launch.tables.paper import METRICS
from launch.tables.rows import Measured
from stepdiff_jax.report.tables import MISSING, decimal

HEADINGS = {"accuracy": "DiffMCQ accuracy", "ktau": "DiffRank tau"}


def markdown(rows: Sequence[Measured]) -> str:
    """The table, with the paper's figures in parentheses; then what rows stand in for or lack."""
    heads = ["system", *map(heading, METRICS)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in rows:
        cells = (cell(one, metric, one.row.paper.get(metric)) for metric in METRICS)
        lines.append(f"| {one.row.name} | {' | '.join(cells)} |")
    notes = [f"- {one.row.name}: {note}." for one in rows for note in (_note(one),) if note]
    return "\n".join([*lines, "", *notes]) + "\n"


def heading(metric: str) -> str:
    """The heading of a metric's column."""
    return HEADINGS.get(metric, metric)


def cell(one: Measured, metric: str, paper: float | None = None) -> str:
    """A figure, its interval, and the paper's."""
    figure = one.metrics.get(metric)
    shown = MISSING if figure is None else f"**{decimal(figure)}**"
    interval = one.interval(metric) if figure is not None else None
    if interval is not None:
        shown += f" {decimal(interval[0])} to {decimal(interval[1])}"
    return shown if paper is None else f"{shown} ({decimal(paper)})"


def _note(one: Measured) -> str:
    if one.absent:
        return f"not measured: {one.absent}"
    if one.failed:
        return f"failed: {one.failed}"
    return f"measured is {one.row.stands_in}" if one.row.stands_in else ""
