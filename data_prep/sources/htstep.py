"""Reads HT-Step's keysteps of videos with their times (`annotations.json`, `taxonomy.csv` and
`video_splits.json`, as released)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.json_files import fail, is_time
from data_prep.schema.clips import is_split
from data_prep.schema.line import Row
from data_prep.sources.base import Annotated, Segment
from data_prep.sources.csv_files import stream_csv
from data_prep.stage import Rejected
from stepdiff_jax.data.video_names import video_files
from stepdiff_jax.errors import InputError
from stepdiff_jax.json_files import read_object
from stepdiff_jax.jsonl import shorten

MATCHES = {"Full Match": "full", "Partial Match": "partial"}
"""Annotators' label -> how well a segment matches its keystep."""

PAST_THE_END = 1.0
"""Seconds that a segment may exceed the video's duration, which the release rounds (ours)."""


class HtStep:
    """All annotated segments in the three files of a directory; a `Source`."""

    settings = {"past the end": PAST_THE_END}  # noqa: RUF012

    def __init__(self, directory: Path):
        """
        Raises:
            InputError: a file is missing or malformed, or a video is in two splits.
        """
        names = ("annotations.json", "taxonomy.csv", "video_splits.json")
        self.files = [directory / name for name in names]
        annotations, taxonomy, splits = self.files
        self._annotations = read_object(annotations)
        self._keysteps = _read_taxonomy(taxonomy)
        self._splits = _read_splits(splits)

    def annotations(self) -> Iterator[Annotated]:
        """The annotations, video by video in file order; missing fields of a row are None."""
        for video, fields in self._annotations.items():
            for row in _segments(video, fields):
                yield Annotated(row, video_files(video), self._segment(row))

    def _segment(self, row: Row) -> Segment | Rejected:
        if row["segment"] is None:
            return Rejected("annotation is of another form", shorten(row["found"]))
        if type(row["id"]) is not int or row["id"] not in self._keysteps:
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
        if not isinstance(row["partial"], str) or row["partial"] not in MATCHES:
            return Rejected("unknown match", shorten(row["partial"]))
        if not isinstance(row["activity"], str):
            return Rejected("activity is not a name", shorten(row["activity"]))
        if row["video"] not in self._splits:
            return Rejected("video of no split", row["video"])
        return Segment(
            video=row["video"],
            start=start,
            end=end,
            keystep=self._keysteps[row["id"]],
            step=row["id"],
            activity=row["activity"],
            split=self._splits[row["video"]],
            match=MATCHES[row["partial"]],
        )


def _segments(video: str, fields: Any) -> list[Row]:
    """One row per annotation; if there is no list of them, one row with what was found instead."""
    known = fields if isinstance(fields, dict) else {}
    items = known.get("annotations")
    shared = {name: known.get(name) for name in ("activity", "duration")}
    if not isinstance(items, list):
        items = [None]
    return [
        {"video": video, "place": index, **_annotation(item), **shared}
        for index, item in enumerate(items)
    ]


def _annotation(item: Any) -> Row:
    known = item if isinstance(item, dict) else {}
    row = {name: known.get(name) for name in ("id", "segment", "partial")}
    return row if row["segment"] is not None else {**row, "found": item}


def _read_taxonomy(path: Path) -> dict[int, str]:
    """global_step_index -> headline."""
    headlines: dict[int, str] = {}
    column, text = "global_step_index", "headline"
    for row in stream_csv(path, (column, text)):
        if row.problem:
            raise row.error()
        number, headline = row.fields[column].strip(), row.fields[text]
        if not re.fullmatch("[0-9]{1,18}", number):
            raise row.error(f"must be a number, got {shorten(number)}", column)
        if int(number) in headlines:
            raise row.error(f"has {number} a second time", column)
        if not headline.strip():
            raise row.error("must not be empty", text)
        headlines[int(number)] = headline
    if not headlines:
        raise InputError(f"{path}: is empty but for its header")
    return headlines


def _read_splits(path: Path) -> dict[str, str]:
    """video -> split."""
    splits: dict[str, str] = {}
    for split, videos in read_object(path).items():
        if not is_split(split):
            raise InputError(f"{path}: split {split!r} must be a word, and not 'all'")
        if not isinstance(videos, list):
            raise InputError(f"{path}: field {split!r} must be a list of videos")
        for video in videos:
            if not isinstance(video, str):
                raise InputError(
                    f"{path}: field {split!r} must hold strings only, got {shorten(video)}"
                )
            if video in splits:
                fail(path, video, "split", f"is {splits[video]!r} already", split)
            splits[video] = split
    return splits
