"""Reads and checks the JSON Lines files that a dataset is packed from.

Every line is checked before the first record is written, so that a slip in the last line does not
cost a night of packing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.frames.files import FRAMES_FILE, StoredFrames, read_frames
from data_prep.schema import CLIPS_FILE, FILTERED_FILE, SPLIT_NAME, finite_number
from stepdiff_jax.data.records import PairRecord, QuestionAnswer, SequenceRecord
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import JsonLine, read_jsonl


@dataclass(frozen=True)
class ClipSource:
    """A line of clips.jsonl, and the frames that the frames stage left of it."""

    id: str
    keystep: str
    activity: str
    narration: str
    frames: StoredFrames


Clips = dict[str, list[ClipSource]]
"""Split -> its clips, in the order of the file."""


@dataclass(frozen=True)
class RecordFiles:
    """The checked contents of a source directory, each by split; `digests` are SHA-256 by kind.

    `records` holds "pairs", "sequences" and "single" where the source has them. What refers to a
    clip without frames is left out; `dropped` counts it by kind.
    """

    clips: Clips
    records: dict[str, dict[str, list[PairRecord | SequenceRecord]]]
    digests: dict[str, str]
    dropped: dict[str, int]


def read_record_files(source: Path) -> RecordFiles:
    """Read clips.jsonl and frames.jsonl; pairs, sequences and single.jsonl where they exist.

    Where the filter has left a filtered.jsonl, that is read for pairs.jsonl: beside it, pairs.jsonl
    is what the pair stage left, without questions.

    Raises:
        InputError: a missing or empty file, a missing or wrong field, a clip named twice, a clip id
            that the record's split of clips.jsonl lacks, nothing with frames.
    """
    clips, without = _read_clips(source)
    dropped = {"clips": len(without)}
    index = {
        clip.id: (split, number)
        for split, group in clips.items()
        for number, clip in enumerate(group)
    }
    records = {}
    made_of = (source / CLIPS_FILE, source / FRAMES_FILE)
    digests = {"clips": _digest(*made_of)}
    for kind, parse in (("pairs", _pair), ("sequences", _sequence), ("single", _single)):
        path = source / f"{kind}.jsonl"
        if kind == "pairs" and (source / FILTERED_FILE).exists():
            path = source / FILTERED_FILE
        if not path.exists():
            continue
        splits: dict[str, list[PairRecord | SequenceRecord]] = {}
        dropped[kind] = 0
        for line in read_jsonl(path):
            split = _split(line)
            if not without.isdisjoint(_named_clips(line)):
                dropped[kind] += 1
                continue
            splits.setdefault(split, []).append(parse(line, split, index))
        if not splits:
            raise InputError(f"{path}: refers to clips without frames only")
        records[kind] = splits
        digests[kind] = _digest(*made_of, path)
    return RecordFiles(clips, records, digests, dropped)


def _read_clips(source: Path) -> tuple[Clips, set[str]]:
    """The clips with frames, and the ids of the others."""
    frames = read_frames(source)
    clips: Clips = {}
    without: set[str] = set()
    seen: dict[str, int] = {}
    for line in read_jsonl(source / CLIPS_FILE):
        name = line.string("clip")
        if name in seen:
            line.fail("clip", f"is named in line {seen[name]} too", name)
        seen[name] = line.number
        keystep, activity, narration = (
            line.string(field) for field in ("keystep", "activity", "narration")
        )
        split = _split(line)
        if name in frames:
            clips.setdefault(split, []).append(
                ClipSource(name, keystep, activity, narration, frames[name])
            )
        else:
            without.add(name)
    if not clips:
        raise InputError(f"{source / FRAMES_FILE}: has frames of no clip of {CLIPS_FILE}")
    return clips, without


def _named_clips(line: JsonLine) -> Sequence[str]:
    if "clips" in line.fields:
        return line.strings("clips")
    return [line.string("reference"), line.string("candidate")]


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


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
