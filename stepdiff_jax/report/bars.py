"""Bars by category as an inline SVG."""

from collections.abc import Mapping

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from stepdiff_jax.report.curves import COLORS, INK, inline_svg
from stepdiff_jax.report.page import Html


def bars(panels: Mapping[str, Mapping[str, float]], *, title: str) -> Html:
    """A panel of horizontal bars for each entry; longer is better, zero is marked.

    Args:
        panels: heading -> name of a bar -> its length.
        title: describes the figure; must be unique on the page.
    """
    most = max((len(panel) for panel in panels.values()), default=1)
    figure = Figure(figsize=(3.2 * len(panels) + 1.6, 0.34 * most + 0.9), layout="constrained")
    FigureCanvasSVG(figure)
    for number, (heading, panel) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), number + 1)
        names = list(panel)[::-1]
        colors = [COLORS[0] if panel[name] >= 0 else COLORS[1] for name in names]
        axes.barh(names, [panel[name] for name in names], color=colors, height=0.62)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_title(heading, loc="left", fontsize=11, color=INK)
        axes.tick_params(colors=INK, labelsize=9)
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
        axes.spines[:].set_visible(False)
    return inline_svg(figure, title)
