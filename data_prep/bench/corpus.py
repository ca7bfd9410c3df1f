"""What preparing a collection of videos would take, from the figures of `bench prep`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LINES_PER_CLIP = 4
"""Lines of pairs.jsonl per clip at most: four pairs per clip, of two clips each, in both orders."""


@dataclass(frozen=True)
class Row:
    """A line of the table: what, how it is computed, and the result with its unit."""

    stage: str
    arithmetic: str
    result: str


def estimate(
    clips: int, prep: Mapping[str, Any], prompts: Mapping[str, Mapping[str, float]]
) -> list[Row]:
    """The table for a number of clips.

    Args:
        prep: figures of `stepdiff bench prep --json`, with frames, pair and pack.
        prompts: figures of `stepdiff bench prompts`.
    """
    frames = prep["frames"]
    core_seconds = frames["processes"]["1"]["core_seconds_per_record"]
    image_bytes = frames["bytes_per_clip"]
    lines = LINES_PER_CLIP * clips
    pack = prep["pack"]
    rows = [
        Row(
            "frames",
            f"{clips:,} clips x {core_seconds:.2f} s",
            f"{_short(clips * core_seconds / 3600)} core hours",
        ),
        Row(
            "frames, stored (and once more when packed)",
            f"{clips:,} x {image_bytes / 1e3:.0f} KB",
            f"{clips * image_bytes / 1e12:.2f} TB",
        ),
    ]
    for stage, number in (("describe", clips), ("question", lines)):
        asked, answered = prompts[stage]["prompt"], prompts[stage]["answer"]
        in_all = f"{_short(number * asked)} prompt tokens, {_short(number * answered)}"
        rows.append(
            Row(
                stage,
                f"{number:,} calls x ({asked:.0f} + {answered:.0f}) tokens",
                f"{in_all} answer tokens",
            )
        )
    pair = prep["pair"]
    return [
        *rows,
        Row(
            "pair, keysteps as large as measured",
            f"{clips:,} clips x {1e3 * pair['core_seconds_per_record']:.2f} ms",
            f"{_short(clips * pair['core_seconds_per_record'] / 3600)} core hours",
        ),
        Row(
            "pack of pairs",
            f"{lines:,} lines x {1e3 * pack['core_seconds_per_record']:.2f} ms",
            f"{_short(lines * pack['core_seconds_per_record'] / 3600)} core hours",
        ),
        Row(
            "pairs, packed",
            f"{lines:,} x {pack['bytes_per_pair']} bytes",
            f"{lines * pack['bytes_per_pair'] / 1e12:.3f} TB",
        ),
    ]


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | | |", "|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| {row.stage} | {row.arithmetic} | {row.result} |" for row in rows)]
    )


def _short(number: float) -> str:
    for limit, unit in ((1e9, "billion"), (1e6, "million")):
        if number >= limit:
            return f"{number / limit:.2f} {unit}"
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"
