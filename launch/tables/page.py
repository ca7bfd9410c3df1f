"""A table of results as one static HTML page, with plots and sample pairs."""

from collections.abc import Mapping, Sequence

from launch.tables.compare import TITLES, Lead, improvement
from launch.tables.markdown import heading
from launch.tables.paper import METRICS
from launch.tables.rows import Measured
from launch.tables.samples import SamplePair, sample_html
from stepdiff_jax.report.bars import bars
from stepdiff_jax.report.page import Html, element, join, page
from stepdiff_jax.report.tables import MISSING, decimal


def table_page(
    title: str,
    introduction: str,
    rows: Sequence[Measured],
    leads: Sequence[Lead],
    samples: Sequence[SamplePair] = (),
    more: Sequence[str] = (),
) -> str:
    """The document.

    Args:
        leads: StepDiff's, said below the table; samples: pairs with every system's answer.
        more: elements between the notes on the rows and the samples.
    """
    parts: list[str] = [
        element("h1", title),
        element("p", introduction),
        _table(rows),
        *(element("p", lead.sentence(), class_="note") for lead in leads),
        element("h2", "The rows"),
        _notes(rows),
    ]
    parts += more
    if samples:
        parts += [element("h2", "Sample pairs"), *map(sample_html, samples)]
    return page(title, *parts)


def improvement_plot(rows: Sequence[Measured]) -> list[str]:
    """StepDiff over Interleaved by category (Fig. 7); nothing without both."""
    panels = {
        TITLES[task]: found for task in TITLES for found in (improvement(rows, task),) if found
    }
    if not panels:
        return []
    title = "StepDiff over Interleaved, by category"
    return [element("h2", title), bars(panels, title=title)]


def _table(rows: Sequence[Measured]) -> Html:
    best = {metric: _best(rows, metric) for metric in METRICS}
    headings = [element("th", heading(metric), scope="col") for metric in METRICS]
    lines = [
        element(
            "tr",
            element("th", one.row.name, scope="row"),
            *(
                figure_cell(one, metric, best[metric], one.row.paper.get(metric))
                for metric in METRICS
            ),
            class_="highlight" if one.row.name == "StepDiff" else None,
        )
        for one in rows
    ]
    head = element("thead", element("tr", element("th", "system", scope="col"), *headings))
    table = element("table", head, element("tbody", *lines), class_="results")
    return element("div", table, class_="scroll")


def _best(rows: Sequence[Measured], metric: str) -> float | None:
    """The best figure among the rows that the paper has."""
    figures = [one.metrics.get(metric) for one in rows if one.row.paper]
    return max((one for one in figures if one is not None), default=None)


def figure_cell(
    one: Measured, metric: str, best: float | None = None, paper: float | None = None
) -> Html:
    """A figure with its interval and the paper's; strong if it is the best."""
    figure = one.metrics.get(metric)
    shown: list[str] = [MISSING if figure is None else decimal(figure)]
    if figure is not None and figure == best:
        shown = [element("strong", shown[0])]
    interval = one.interval(metric) if figure is not None else None
    if interval is not None:
        shown.append(element("small", f" {decimal(interval[0])} to {decimal(interval[1])}"))
    if paper is not None:
        shown.append(element("div", f"paper {decimal(paper)}", class_="quiet"))
    return element("td", join(*shown))


def _notes(rows: Sequence[Measured]) -> Html:
    entries: list[str] = []
    for one in rows:
        state: Mapping[str, str] = {
            "not measured: ": one.absent,
            "failed: ": one.failed,
            "": one.row.stands_in,
        }
        said = next((f"{words}{text}" for words, text in state.items() if text), "")
        if said:
            entries += [element("dt", one.row.name), element("dd", said)]
    return element("dl", *entries)
