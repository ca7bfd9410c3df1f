"""Loss curves of runs as an inline SVG."""

import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from stepdiff_jax.jsonl import read_jsonl
from stepdiff_jax.report.page import Html

COLORS = ("#3987e5", "#d95926", "#199e70", "#b06ac9", "#b8860b")
"""Distinguishable by colour-blind readers, and visible on light and dark backgrounds."""

INK = "#010203"
"""A placeholder for the page's text colour, which matplotlib cannot name."""


def read_curve(metrics: Path, metric: str = "loss") -> tuple[list[int], list[float]]:
    """Steps and values of a metric in a run's `metrics.jsonl`; lines without it are skipped.

    Raises:
        InputError: the file is missing or empty, or a line is not JSON.
    """
    points = [
        (int(line.get("step")), float(line.get(metric)))
        for line in read_jsonl(metrics)
        if metric in line.fields
    ]
    return [step for step, _ in points], [value for _, value in points]


def loss_curves(runs: Mapping[str, Path], *, title: str) -> Html:
    """Training loss by step; validation loss, if any, is dashed in the same colour.

    Args:
        runs: label -> `metrics.jsonl`.
    """
    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for number, (label, path) in enumerate(runs.items()):
        color = COLORS[number % len(COLORS)]
        axes.plot(*read_curve(path), color=color, linewidth=1.6, label=label)
        steps, values = read_curve(path, "validation_loss")
        if steps:
            axes.plot(steps, values, color=color, linestyle="--", label=f"{label}, validation")
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("loss", color=INK)
    axes.set_ylim(0, 1.05 * axes.dataLim.y1)
    axes.margins(x=0.01)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    if len(axes.lines) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return inline_svg(figure, title)


def inline_svg(figure: Figure, title: str) -> Html:
    """A figure as markup without a background; `INK` becomes the page's text colour.

    Args:
        title: describes the figure; must be unique on the page.
    """
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    buffer = io.StringIO()
    # The salt makes ids reproducible, and different between two figures on a page.
    with mpl.rc_context({"svg.hashsalt": title, "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": title})
    svg = buffer.getvalue()
    return Html(svg[svg.index("<svg") :].replace(INK, "currentColor"))
