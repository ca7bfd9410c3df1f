"""Reads and checks the JSON Lines files that a dataset is packed from.

Every line is checked before the first video is opened, so that a slip in the last line does not
cost a night of decoding.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.data.records import PairRecord, QuestionAnswer, SequenceRecord
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import JsonLine, read_jsonl

CLIPS_FILE = "clips.jsonl"
FILTERED_FILE = "filtered.jsonl"
SPLIT_NAME = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class ClipSource:
    """A line of clips.jsonl: a span of a video file, in seconds, and what is known of it."""

    id: str
    video: Path
    start: float
    end: float
    keystep: str
    activity: str
    narration: str
    place: str
    """File and line, for errors that show only when the video is read."""


Clips = dict[str, list[ClipSource]]
"""Split -> its clips, in the order of the file."""


@dataclass(frozen=True)
class RecordFiles:
    """The checked contents of a source directory, each by split; `digests` are SHA-256 by kind.

    `records` holds "pairs", "sequences" and "single" where the source has them.
    """

    clips: Clips
    records: dict[str, dict[str, list[PairRecord | SequenceRecord]]]
    digests: dict[str, str]


def read_record_files(source: Path) -> RecordFiles:
    """Read clips.jsonl, and pairs.jsonl, sequences.jsonl and single.jsonl where they exist.

    Where the filter has left a filtered.jsonl, that is read for pairs.jsonl: beside it, pairs.jsonl
    is what the pair stage left, without questions.

    Raises:
        InputError: a missing or empty file, a missing or wrong field, a clip named twice, a video
            file that is not there, a clip id that the record's split of clips.jsonl lacks.
    """
    clips = _read_clips(source)
    index = {
        clip.id: (split, number)
        for split, group in clips.items()
        for number, clip in enumerate(group)
    }
    records = {}
    digests = {"clips": _digest(source / CLIPS_FILE)}
    for kind, parse in (("pairs", _pair), ("sequences", _sequence), ("single", _single)):
        path = source / f"{kind}.jsonl"
        if kind == "pairs" and (source / FILTERED_FILE).exists():
            path = source / FILTERED_FILE
        if not path.exists():
            continue
        splits: dict[str, list[PairRecord | SequenceRecord]] = {}
        for line in read_jsonl(path):
            split = _split(line)
            splits.setdefault(split, []).append(parse(line, split, index))
        records[kind] = splits
        digests[kind] = _digest(source / CLIPS_FILE, path)
    return RecordFiles(clips, records, digests)


def _read_clips(source: Path) -> Clips:
    clips: Clips = {}
    seen: dict[str, int] = {}
    for line in read_jsonl(source / CLIPS_FILE):
        name = line.string("clip")
        if name in seen:
            line.fail("clip", f"is named in line {seen[name]} too", name)
        seen[name] = line.number
        video = source / line.string("video")
        if not video.is_file():
            line.fail("video", f"names no file ({video})", line.string("video"))
        start, end = (
            finite_number(line, "start", line.get("start")),
            finite_number(line, "end", line.get("end")),
        )
        if start < 0:
            line.fail("start", "must not be negative", start)
        if end <= start:
            line.fail("end", f"must come after start ({start:g})", end)
        clip = ClipSource(
            name,
            video,
            start,
            end,
            line.string("keystep"),
            line.string("activity"),
            line.string("narration"),
            place=f"{line.path}, line {line.number}",
        )
        clips.setdefault(_split(line), []).append(clip)
    return clips


Index = Mapping[str, tuple[str, int]]
"""Clip id -> its split and its index there."""


def _pair(line: JsonLine, split: str, index: Index) -> PairRecord:
    reference, candidate = (
        _clip_index(line, field, line.string(field), split, index)
        for field in ("reference", "candidate")
    )
    return PairRecord(reference, candidate, tuple(_questions(line)))


def _questions(line: JsonLine) -> Sequence[QuestionAnswer]:
    questions = []
    for item in line.items("questions"):
        if not isinstance(item, dict):
            line.fail("questions", "must hold objects", item)
        nested = JsonLine(line.path, line.number, item)
        weight = finite_number(nested, "weight", item.get("weight", 1.0))
        if weight <= 0:
            nested.fail("weight", "must be positive", weight)
        questions.append(QuestionAnswer(nested.string("question"), nested.string("answer"), weight))
    return questions


def _sequence(line: JsonLine, split: str, index: Index) -> SequenceRecord:
    names = line.strings("clips")
    if len(names) < 2:
        line.fail("clips", "must name at least two clips (one stands in single.jsonl)", names)
    return _narrated(line, names, split, index)


def _single(line: JsonLine, split: str, index: Index) -> SequenceRecord:
    return _narrated(line, line.strings("clips", 1), split, index)


def _narrated(line: JsonLine, names: Sequence[str], split: str, index: Index) -> SequenceRecord:
    narrations = line.strings("narrations", len(names))
    if not all(text.strip() for text in narrations):
        line.fail("narrations", "must not be empty", list(narrations))
    clips = tuple(_clip_index(line, "clips", name, split, index) for name in names)
    return SequenceRecord(clips, narrations)


def _clip_index(line: JsonLine, field: str, name: str, split: str, index: Index) -> int:
    if name not in index:
        line.fail(field, f"names a clip that {CLIPS_FILE} lacks", name)
    owner, number = index[name]
    if owner != split:
        line.fail(field, f"names a clip of split {owner!r} in split {split!r}", name)
    return number


def _split(line: JsonLine) -> str:
    split = line.string("split")
    if not SPLIT_NAME.fullmatch(split) or split.lower() == "all":
        line.fail("split", "must be a word, and not 'all'", split)
    return split


def finite_number(line: JsonLine, field: str, value: object) -> float:
    """`value`, found in `field` of a line, as a float; InputError where it is no finite number."""
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        line.fail(field, "must be a finite number", value)
    return float(value)  # type: ignore[arg-type]


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
