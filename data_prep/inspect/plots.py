"""Plots of the stages' counts."""

from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from stepdiff_jax.report.curves import COLORS, INK, inline_svg
from stepdiff_jax.report.page import Html

KEPT, DROPPED = COLORS[2], COLORS[1]


def shares_plot(shares: Sequence[tuple[str, int, int]], *, title: str) -> Html:
    """Bars of the kept and dropped percentages of each row.

    Args:
        shares: label, kept, dropped; from top to bottom. Empty rows are left out.
    """
    rows = [row for row in shares if row[1] + row[2]]
    figure, axes = _axes(len(rows), title)
    for index, (_, kept, dropped) in enumerate(rows):
        whole = kept + dropped
        axes.barh(index, 100 * kept / whole, color=KEPT, height=0.62)
        axes.barh(index, 100 * dropped / whole, left=100 * kept / whole, color=DROPPED, height=0.62)
        axes.text(102, index, f"{kept:,} of {whole:,}", va="center", fontsize=8.5, color=INK)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_xlim(0, 100)
    axes.set_xlabel("% kept (green) and dropped (orange)", color=INK, fontsize=9)
    return inline_svg(figure, title)


def counts_plot(counts: Mapping[str, int], *, title: str) -> Html:
    """A bar per count, labelled with its value."""
    figure, axes = _axes(len(counts), title)
    largest = max(counts.values(), default=1)
    for index, number in enumerate(counts.values()):
        axes.barh(index, number, color=DROPPED, height=0.62)
        axes.text(
            number + 0.02 * largest, index, f"{number:,}", va="center", fontsize=8.5, color=INK
        )
    axes.set_yticks(range(len(counts)), list(counts))
    axes.set_xlim(0, 1.15 * largest)
    return inline_svg(figure, title)


def _axes(rows: int, title: str):
    figure = Figure(figsize=(5.4, 0.9 + 0.34 * max(rows, 2)), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.invert_yaxis()
    axes.tick_params(colors=INK, labelsize=9, left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes
