"""Reads HT-Step: which keystep a video shows when (`annotations.json`, `taxonomy.csv`,
`video_splits.json`, as released)."""

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.json_files import fail, is_time, member, read_object
from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class KeystepClip:
    """A span of a video, in seconds, that shows a keystep of an activity.

    `id` is `<video>_<start>_<end>` with the numbers as the annotations have them.
    """

    id: str
    video: str
    start: float
    end: float
    keystep: str
    activity: str
    split: str


def read_htstep(directory: Path) -> list[KeystepClip]:
    """All annotated clips, video after video, each in order of time.

    Raises:
        InputError: a file is missing, an unknown keystep id, a video of no split or of two, a
            missing or wrong field, a segment that does not end after it starts, one segment twice.
    """
    annotations = directory / "annotations.json"
    headlines = _read_taxonomy(directory / "taxonomy.csv")
    splits = _read_splits(directory / "video_splits.json")
    clips = []
    for video, fields in read_object(annotations).items():
        if video not in splits:
            fail(directory / "video_splits.json", video, "split", "is missing", sorted(splits)[:2])
        activity = member(annotations, video, fields, "activity", str)
        found = [
            _clip(annotations, video, item, activity, splits[video], headlines)
            for item in member(annotations, video, fields, "annotations", list)
        ]
        found.sort(key=lambda clip: (clip.start, clip.end))
        for before, after in itertools.pairwise(found):
            if before.id == after.id:
                fail(annotations, video, "segment", "is annotated twice", [after.start, after.end])
        clips += found
    return clips


def _clip(
    path: Path, video: str, item: Any, activity: str, split: str, headlines: dict[int, str]
) -> KeystepClip:
    keystep = member(path, video, item, "id", int)
    if keystep not in headlines:
        fail(path, video, "id", "is no global_step_index of taxonomy.csv", keystep)
    segment = member(path, video, item, "segment", list)
    if len(segment) != 2 or not all(is_time(time) for time in segment):
        fail(path, video, "segment", "must be [start, end] in seconds", segment)
    start, end = segment
    if not 0 <= start < end:
        fail(path, video, "segment", "must start at 0 or later and end after that", segment)
    name = f"{video}_{start}_{end}"
    return KeystepClip(name, video, float(start), float(end), headlines[keystep], activity, split)


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
