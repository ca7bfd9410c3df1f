"""The top of the page: totals, and what each stage read and dropped, and why."""

from collections.abc import Iterator, Mapping

from data_prep.inspect.plots import counts_plot, shares_plot
from data_prep.inspect.stage_files import ORDER, StageCounts
from stepdiff_jax.report.page import Html, element, figures_table, join

REMOVED = "removed by "
NOT_TAKEN = "pairs dropped: "
"""Prefixes of the counts in the summaries of the filter and the pair stage."""

UNITS = {
    "clips": ("segments", "clips"),
    "frames": ("clips", "clips"),
    "descriptions": ("clips", "descriptions"),
    "pairs": ("keysteps and bad clips", "pairs, both ways"),
    "questions": ("pairs", "pairs"),
    "filtered": ("pairs", "pairs"),
    "sequences": ("videos", "sequences"),
    "single": ("videos", "clips"),
}


def tiles(stages: Mapping[str, StageCounts]) -> Html:
    """The main totals; a dash if the stage is missing."""

    def left(name: str) -> str:
        return f"{stages[name].left:,}" if name in stages else "-"

    filtered = stages.get("filtered", StageCounts()).counts
    asked = filtered["kept"] + filtered["removed"]
    share = f"{100 * filtered['removed'] / asked:.0f} %" if asked else "-"
    return element(
        "div",
        _tile("clips", left("clips"), f"{left('descriptions')} described"),
        _tile("pairs", left("pairs"), "each counted both ways"),
        _tile("questions kept", f"{filtered['kept']:,}" if asked else "-", f"of {asked:,} asked"),
        _tile("filter removed", share, f"{filtered['removed']:,} questions"),
        _tile("sequences", left("sequences"), f"{left('single')} single clips"),
        class_="tiles",
    )


def stages_html(stages: Mapping[str, StageCounts]) -> Html:
    """The plots, the table of stages, and notes on missing summaries."""
    missing = [name for name in ORDER if name not in stages]
    parts = [
        f"{name} ({one.shards} of {one.count})" for name, one in stages.items() if _partial(one)
    ]
    notes = []
    if missing:
        notes.append(f"Not run, or no summary found: {', '.join(missing)}.")
    if parts:
        notes.append(f"Shards are missing, so these counts are partial: {', '.join(parts)}.")
    drawings = [shares_plot(list(_shares(stages)), title="Kept by each stage")] if stages else []
    removed = _removed(stages)
    if removed:
        drawings.append(counts_plot(removed, title="Questions removed, by the first rule"))
    head = ("stage", "in", "out", "dropped", "shards")
    return join(
        element("div", *(element("div", one) for one in drawings), class_="columns"),
        *(element("p", note, class_="missing") for note in notes),
        figures_table(head, [_row(name, one) for name, one in stages.items()]),
    )


def reasons_html(stages: Mapping[str, StageCounts]) -> Html:
    """Everything that the stages dropped, by reason."""
    rows = [row for name, one in stages.items() for row in _reasons(name, one)]
    if not rows:
        return element("p", "Nothing was dropped.", class_="quiet")
    return figures_table(("stage: reason", "dropped", "share"), rows)


def _tile(heading: str, value: str, note: str) -> Html:
    return element(
        "div",
        element("span", heading, class_="quiet"),
        element("b", value),
        element("div", note, class_="note quiet"),
        class_="tile",
    )


def _partial(one: StageCounts) -> bool:
    return one.shards < one.count


def _shares(stages: Mapping[str, StageCounts]) -> Iterator[tuple[str, int, int]]:
    """Label and numbers kept and dropped for each stage, in the same unit."""
    for name, one in stages.items():
        if "clips in" in one.counts:
            kept = one.counts["clips out"]
            yield f"{name} (clips)", kept, one.counts["clips in"] - kept
        else:
            dropped = one.dropped.total()
            yield name, one.entered - dropped, dropped
        if name == "pairs":
            found = sum(one.counted(NOT_TAKEN).values())
            yield "pairs (compared)", one.left // 2, found
        if one.counts["kept"] + one.counts["removed"]:
            yield f"{name} (questions)", one.counts["kept"], one.counts["removed"]


def _removed(stages: Mapping[str, StageCounts]) -> dict[str, int]:
    return next(filter(None, (one.counted(REMOVED) for one in stages.values())), {})


def _row(name: str, one: StageCounts) -> tuple[str, ...]:
    entered, left = UNITS.get(name, ("", ""))
    return (
        name,
        f"{one.entered:,} {entered}".rstrip(),
        f"{one.left:,} {left}".rstrip(),
        f"{one.dropped.total():,}",
        f"{one.shards} of {one.count}",
    )


def _reasons(name: str, one: StageCounts) -> Iterator[tuple[str, str, str]]:
    whole = max(one.counts["clips in"], one.entered)
    groups = [
        (name, dict(one.dropped.most_common()), whole),
        (f"{name}, pairs not taken", one.counted(NOT_TAKEN), 0),
        (f"{name}, questions", one.counted(REMOVED), one.counts["kept"] + one.counts["removed"]),
    ]
    for label, reasons, of in groups:
        of = of or one.left // 2 + sum(reasons.values())
        for reason, number in reasons.items():
            yield f"{label}: {reason}", f"{number:,}", f"{100 * number / of:.1f} %" if of else "-"
