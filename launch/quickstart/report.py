"""Reports the quickstart's results: a table for the terminal, and `report.html`."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from launch.quickstart.report_rows import (
    ACCURACY,
    CEILING,
    COLUMNS,
    LEADING,
    OURS,
    ROUGE_L,
    notes,
    ordinal,
    places,
    rows_of,
)
from launch.quickstart.samples import samples_html
from stepdiff_jax.files import write_text
from stepdiff_jax.report.curves import loss_curves
from stepdiff_jax.report.page import Html, element, figures_table, join, page
from stepdiff_jax.report.tables import (
    MISSING,
    Column,
    Row,
    decimal,
    place,
    ranking,
    results_html,
    results_table,
    summarize,
)

ABOUT = {
    "Untrained": "the resampler as initialized, so the language model guesses",
    "Interleaved": "the resampler trained on sequences of videos and their narration",
    "StepDiff": "Interleaved, trained further on questions about pairs of videos",
    "VLEmbed (InternVideo)": "no language model, only similarities in the encoder's joint space of "
    "videos and texts; cannot write captions",
    CEILING: "the same language model, given perfect descriptions instead of videos",
}
STAGES = {"interleaved": "Interleaved", "stepdiff": "StepDiff"}
"""Directory of a stage's runs -> its title."""
METRICS = "metrics.jsonl"
BY_CATEGORY = (ROUGE_L, ACCURACY, Column("ktau_nan_as_zero", "DiffRank", "tau"))


def print_table(results: Mapping[str, Any], console: Console) -> None:
    """Print the systems as in the paper's Table 1, with notes."""
    rows = rows_of(results)
    console.print(results_table(rows, COLUMNS, highlight=OURS))
    console.print(f"\n[bold]{places(rows)}[/bold]\n")
    for note in notes(results):
        console.print(note, style="dim")


def write_report(results: Mapping[str, Any], directory: Path) -> Path:
    """Write `<directory>/report.html`, which is self-contained.

    Args:
        results: the contents of `results.json`.
        directory: the run's directory, with world, data, benchmark, predictions and training
            metrics.
    Raises:
        InputError: one of these is missing or invalid.
    """
    split = results["split"]
    rows = rows_of(results)
    writers = [
        system
        for system, by_seed in results["systems"].items()
        if any("diffcap" in measured["tasks"] for measured in by_seed.values())
    ]
    title = "StepDiff on the rendered kitchen"
    document = page(
        title,
        element("h1", title),
        element("p", _introduction(split)),
        _tiles(rows),
        element("h2", f"Results on the {split} split"),
        results_html(rows, COLUMNS, highlight=OURS),
        *(element("p", note, class_="note quiet") for note in notes(results)),
        _systems(results),
        _categories(results["systems"].get(OURS, {})),
        element("h2", "Training"),
        _curves(directory, results["seeds"]),
        element("h2", "Sample pairs"),
        element("p", _sample_note(split), class_="quiet"),
        samples_html(directory, split, writers),
        element("h2", "The run"),
        _run(results),
    )
    path = directory / "report.html"
    write_text(path, document)
    return path


def _introduction(split: str) -> str:
    return (
        "Two clips of the same keystep: how do they differ? A frozen video encoder turns each "
        "clip's frames into tokens, a resampler, the only trained part, turns these into a few "
        "tokens of a frozen language model, and the language model answers. Here the encoder "
        f"and the language model are tiny stand-ins and the videos are rendered. The {split} split "
        "has combinations of ingredient, tool and vessel that no other split has."
    )


def _tiles(rows: Sequence[Row]) -> Html:
    """StepDiff's score on each task, with the best other system, the ceiling and chance."""
    ours = next((row for row in rows if row.system == OURS), None)
    tiles = []
    for column in LEADING:
        summary = None if ours is None else summarize(ours, column.metric)
        where = place(rows, column.metric, OURS)
        if summary is None or where is None:
            continue
        ranked = ranking(rows, column.metric)
        spread = "" if summary.spread is None else f" ±{decimal(summary.spread)}"
        heading = f"{column.task}, {column.heading.replace(chr(10), ' ')}"
        beside = [element("div", text) for text in _beside(rows, column)]
        tiles.append(
            element(
                "div",
                element("span", heading, class_="quiet"),
                element("b", decimal(summary.mean), element("small", spread)),
                element("span", f"{ordinal(where)} of {len(ranked)}", class_="place"),
                element("div", *beside, class_="note quiet"),
                class_="tile",
            )
        )
    return element("div", *tiles, class_="tiles")


def _beside(rows: Sequence[Row], column: Column) -> list[str]:
    others = [entry for entry in ranking(rows, column.metric) if entry[0] != OURS]
    lines = [f"best other: {name} {decimal(summary.mean)}" for name, summary in others[:1]]
    marks = []
    for row in rows:
        ceiling = summarize(row, column.metric) if row.apart else None
        if ceiling is not None and not math.isnan(ceiling.mean):
            marks.append(f"ceiling {decimal(ceiling.mean)}")
    if column.chance is not None:
        marks.append(f"chance {decimal(column.chance)}")
    return [*lines, ", ".join(marks)]


def _systems(results: Mapping[str, Any]) -> Html:
    entries: list[Html] = []
    for system in results["systems"]:
        if system in ABOUT:
            entries += [element("dt", system), element("dd", ABOUT[system])]
    return element("details", element("summary", "What the systems are"), element("dl", *entries))


def _categories(by_seed: Mapping[str, Any]) -> Html:
    """StepDiff's mean over seeds by category, with the number of instances."""
    tasks = [measured["tasks"] for measured in by_seed.values()]
    names = sorted({name for one in tasks for task in one.values() for name in task["by_category"]})
    if not names:
        return Html("")
    lines = []
    for name in names:
        cells = [name]
        for column in BY_CATEGORY:
            found = [
                one[column.task.lower()]["by_category"][name]
                for one in tasks
                if name in one.get(column.task.lower(), {}).get("by_category", {})
            ]
            mean = summarize(Row(name, found), column.metric)
            cells.append(
                MISSING if mean is None else f"{decimal(mean.mean)} ({found[0]['instances']})"
            )
        lines.append(tuple(cells))
    head = ("category", *(f"{column.task} {column.heading}" for column in BY_CATEGORY))
    title = element("summary", f"{OURS} by category (instances)")
    return element("details", title, figures_table(head, lines))


def _curves(directory: Path, seeds: Sequence[int]) -> Html:
    curves = []
    for stage, title in STAGES.items():
        runs = {f"seed {seed}": directory / stage / f"seed{seed}" / METRICS for seed in seeds}
        curves.append(element("div", loss_curves(runs, title=title)))
    return element("div", *curves, class_="columns")


def _sample_note(split: str) -> str:
    return (
        f"Drawn from the {split} split's DiffCap instances with a fixed seed, independently of the "
        "answers: different keysteps, categories as even as possible. Answers are those of seed 0. "
        "A word that names one of the category's attributes is underlined if it is correct and "
        "struck through if it is wrong; the number beside an answer counts how many of four (two "
        "attributes of each video) it names correctly."
    )


def _run(results: Mapping[str, Any]) -> Html:
    seconds = results["seconds"]
    stages = [(name, f"{value:,.1f}") for name, value in seconds.items()]
    stages.append(("all", f"{sum(seconds.values()):,.1f}"))
    environment = results["machine"] | results["versions"]
    ran_on = [(name, str(value)) for name, value in environment.items()]
    tables = (
        figures_table(("stage", "seconds"), stages),
        figures_table(("environment", ""), ran_on),
    )
    return join(
        element("div", *tables, class_="columns"),
        _json("Counts", results["counts"]),
        _json("Options", results["options"]),
    )


def _json(title: str, value: Any) -> Html:
    text = element("pre", json.dumps(value, indent=1))
    return element("details", element("summary", title), text)
