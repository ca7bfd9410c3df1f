"""Tables of results like the paper's Table 1: systems by metrics, for a terminal and for a page."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rich import box
from rich.table import Table
from rich.text import Text

from stepdiff_jax.report.page import Html, element, join

MISSING = "–"
UNDEFINED = "undefined"


@dataclass(frozen=True)
class Column:
    """One metric: its name in the results, its task, and its heading in a table."""

    metric: str
    task: str
    heading: str
    chance: float | None = None
    """The expected score of guessing."""


TABLE_1 = (
    Column("BLEU", "DiffCap", "BLEU"),
    Column("CIDEr", "DiffCap", "CIDEr"),
    Column("ROUGE-L", "DiffCap", "ROUGE-L"),
    Column("accuracy", "DiffMCQ", "accuracy", chance=0.25),
    Column("ktau", "DiffRank", "tau", chance=0.0),
)
"""The columns of the paper's Table 1."""


@dataclass(frozen=True)
class Row:
    """A system and its metrics, one mapping per seed.

    A metric that a system cannot have is absent from its runs; None or NaN is undefined.
    """

    system: str
    runs: Sequence[Mapping[str, float | None]]
    apart: bool = False
    """Shown with the systems but not ranked among them: an upper bound."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Metric -> footnote mark."""


@dataclass(frozen=True)
class Summary:
    """Mean over seeds, and the sample standard deviation if there are two or more."""

    mean: float
    spread: float | None


def summarize(row: Row, metric: str) -> Summary | None:
    """Mean and spread of a metric over a system's seeds.

    Returns:
        None if the system has no such metric; the mean is NaN if a seed's is undefined.
    """
    values = [run[metric] for run in row.runs if metric in run]
    if not values:
        return None
    numbers = [math.nan if value is None else float(value) for value in values]
    if any(map(math.isnan, numbers)):
        return Summary(math.nan, None)
    return Summary(
        statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None
    )


def ranking(rows: Iterable[Row], metric: str) -> list[tuple[str, Summary]]:
    """The systems that have a defined metric, highest mean first; rows set `apart` are omitted."""
    found = [(row.system, summarize(row, metric)) for row in rows if not row.apart]
    defined = [
        (system, summary)
        for system, summary in found
        if summary is not None and not math.isnan(summary.mean)
    ]
    return sorted(defined, key=lambda entry: -entry[1].mean)


def place(rows: Iterable[Row], metric: str, system: str) -> int | None:
    """A system's rank: 1 for the highest mean, shared by equal means; None without the metric."""
    means = {name: summary.mean for name, summary in ranking(rows, metric)}
    if system not in means:
        return None
    return 1 + sum(mean > means[system] for mean in means.values())


def decimal(value: float) -> str:
    """Three decimals without a leading zero, as in the paper: .541, −.012, 1.250."""
    text = f"{abs(value):.3f}"
    digits = text.removeprefix("0") if abs(value) < 1 else text
    return f"−{digits}" if value < 0 and float(text) != 0 else digits


def results_table(
    rows: Sequence[Row], columns: Sequence[Column] = TABLE_1, *, highlight: str | None = None
) -> Table:
    """A table for the terminal: best means bold, the spread of seeds below its mean.

    Args:
        highlight: a system whose row is highlighted.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    lines = max(column.heading.count("\n") for column in columns) + 1
    table.add_column("\n" * lines + "system", min_width=13)
    for task, group in groupby(columns, key=lambda column: column.task):
        for number, column in enumerate(group):
            gap = "\n" * (lines - column.heading.count("\n"))
            heading = (task if number == 0 else "") + gap + column.heading
            table.add_column(heading, justify="right", no_wrap=True)
    best = {column.metric: _best(rows, column.metric) for column in columns}
    ordered = _apart_last(rows)
    for row, following in zip(ordered, [*ordered[1:], None]):
        cells = [_text(row, column.metric, best[column.metric]) for column in columns]
        section = following is not None and following.apart and not row.apart
        style = "cyan" if row.system == highlight else "dim" if row.apart else ""
        table.add_row(Text(row.system), *cells, style=style, end_section=section)
    return table


def results_html(
    rows: Sequence[Row], columns: Sequence[Column] = TABLE_1, *, highlight: str | None = None
) -> Html:
    """The same table for a page; it scrolls sideways on a narrow screen."""
    tasks = [
        element("th", task, colspan=str(len(list(group))), scope="colgroup")
        for task, group in groupby(columns, key=lambda column: column.task)
    ]
    headings = [element("th", column.heading, scope="col") for column in columns]
    best = {column.metric: _best(rows, column.metric) for column in columns}
    lines = []
    for row in _apart_last(rows):
        cells = [_cell(row, column.metric, best[column.metric]) for column in columns]
        marked = "apart" if row.apart else "highlight" if row.system == highlight else None
        lines.append(element("tr", element("th", row.system, scope="row"), *cells, class_=marked))
    head = element(
        "thead",
        element("tr", element("th", "system", scope="col", rowspan="2"), *tasks),
        element("tr", *headings),
    )
    table = element("table", head, element("tbody", *lines), class_="results")
    return element("div", table, class_="scroll")


def _apart_last(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.apart)


def _best(rows: Sequence[Row], metric: str) -> float | None:
    ranked = ranking(rows, metric)
    return ranked[0][1].mean if ranked else None


def _shown(row: Row, metric: str) -> tuple[str, str | None]:
    """A cell's figure with its mark, and its spread."""
    summary = summarize(row, metric)
    if summary is None:
        return MISSING, None
    figure = UNDEFINED if math.isnan(summary.mean) else decimal(summary.mean)
    spread = None if summary.spread is None else f"±{decimal(summary.spread)}"
    return figure + row.marks.get(metric, ""), spread


def _is_best(row: Row, metric: str, best: float | None) -> bool:
    summary = summarize(row, metric)
    return not row.apart and summary is not None and summary.mean == best


def _text(row: Row, metric: str, best: float | None) -> Text:
    figure, spread = _shown(row, metric)
    text = Text(figure, style="bold" if _is_best(row, metric, best) else "")
    if spread is not None:
        text.append(f"\n{spread}", style="not bold dim")
    return text


def _cell(row: Row, metric: str, best: float | None) -> Html:
    figure, spread = _shown(row, metric)
    shown = element("strong", figure) if _is_best(row, metric, best) else figure
    return element("td", join(shown, "" if spread is None else element("small", spread)))
