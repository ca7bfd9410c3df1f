"""Reads HT-Step: which keystep a video shows when (`annotations.json`, `taxonomy.csv`,
`video_splits.json`, as released)."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.json_files import fail, is_time, read_object
from data_prep.stage import Rejected, Row
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten

MATCHES = {"Full Match": "full", "Partial Match": "partial"}
"""How a segment agrees with its keystep, by the annotators' words."""

PAST_THE_END = 1.0
"""Seconds that a segment may end after the video's duration, which the release rounds (ours)."""


@dataclass(frozen=True)
class HtStep:
    """The three files: every segment as it is annotated, keysteps by id, splits by video.

    A segment has video, place (its number in the video), id, segment, partial, activity and
    duration; what the file does not have is None.
    """

    segments: list[Row]
    keysteps: dict[int, str]
    splits: dict[str, str]


def read_htstep(directory: Path) -> HtStep:
    """All annotated segments, unchecked, video after video in the file's order.

    Raises:
        InputError: a file is missing or of another form, or a video is in two splits.
    """
    annotations = read_object(directory / "annotations.json")
    return HtStep(
        [row for video, fields in annotations.items() for row in _segments(video, fields)],
        _read_taxonomy(directory / "taxonomy.csv"),
        _read_splits(directory / "video_splits.json"),
    )


def segment_problem(row: Row, htstep: HtStep) -> Rejected | None:
    """What is wrong with an annotated segment, if anything is."""
    if row["segment"] is None:
        return Rejected("annotation is of another form", shorten(row["found"]))
    if type(row["id"]) is not int or row["id"] not in htstep.keysteps:
        return Rejected("unknown keystep id", shorten(row["id"]))
    segment = row["segment"]
    if not isinstance(segment, list) or len(segment) != 2 or not all(map(is_time, segment)):
        return Rejected("segment is not [start, end] in seconds", shorten(segment))
    start, end = segment
    if not 0 <= start < end:
        return Rejected("segment does not end after it starts", shorten(segment))
    if not is_time(row["duration"]):
        return Rejected("duration is not a number of seconds", shorten(row["duration"]))
    if end > row["duration"] + PAST_THE_END:
        return Rejected("segment past the end", f"{end} s of {row['duration']} s")
    if row["partial"] not in MATCHES:
        return Rejected("unknown match", shorten(row["partial"]))
    if not isinstance(row["activity"], str):
        return Rejected("activity is not a name", shorten(row["activity"]))
    if row["video"] not in htstep.splits:
        return Rejected("video of no split", row["video"])
    return None


def _segments(video: str, fields: Any) -> list[Row]:
    """One row for each annotation; one that says what was found where there is no list of them."""
    known = fields if isinstance(fields, dict) else {}
    items = known.get("annotations")
    shared = {name: known.get(name) for name in ("activity", "duration")}
    if not isinstance(items, list):
        items = [None]
    return [
        {"video": video, "place": place, **_annotation(item), **shared}
        for place, item in enumerate(items)
    ]


def _annotation(item: Any) -> Row:
    known = item if isinstance(item, dict) else {}
    row = {name: known.get(name) for name in ("id", "segment", "partial")}
    return row if row["segment"] is not None else {**row, "found": item}


def _read_taxonomy(path: Path) -> dict[int, str]:
    """global_step_index -> headline."""
    headlines: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                headlines[int(row["global_step_index"])] = row["headline"]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except KeyError as error:
        raise InputError(f"{path}: has no column {error}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: field 'global_step_index' must be a number: {error}") from error
    if not headlines:
        raise InputError(f"{path}: is empty")
    return headlines


def _read_splits(path: Path) -> dict[str, str]:
    """video -> split."""
    splits: dict[str, str] = {}
    for split, videos in read_object(path).items():
        if not isinstance(videos, list):
            raise InputError(f"{path}: field {split!r} must be a list of videos")
        for video in videos:
            if video in splits:
                fail(path, video, "split", f"is {splits[video]!r} already", split)
            splits[video] = split
    return splits
