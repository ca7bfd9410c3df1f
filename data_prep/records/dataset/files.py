"""Reads and checks the JSON Lines files that a dataset is packed from.

Every line is checked before the first record is written, so that a slip in the last line does not
cost a night of packing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_prep.frames.files import StoredFrames, read_frames
from data_prep.schema.clips import CLIPS_FILE, FRAMES_FILE, PackedClip
from data_prep.schema.line import stream_distinct, stream_lines
from data_prep.schema.records import (
    SEQUENCES_FILE,
    SINGLE_FILE,
    Interleaved,
    PackedPair,
    Sequence,
    Single,
)
from data_prep.schema.text import FILTERED_FILE, PAIRS_FILE, WeightedQuestion
from stepdiff_jax.data.records import PairRecord, QuestionAnswer, SequenceRecord
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import JsonLine


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
    for kind, (name, form) in _FORMS.items():
        path = source / name
        if kind == "pairs" and (source / FILTERED_FILE).exists():
            path = source / FILTERED_FILE
        if not path.exists():
            continue
        splits: dict[str, list[PairRecord | SequenceRecord]] = {}
        dropped[kind] = 0
        for line, record in stream_lines(path, form):
            if not without.isdisjoint(clip for _, clip in record.named_clips()):
                dropped[kind] += 1
                continue
            splits.setdefault(record.split, []).append(_indexed(line, record, index))
        if not splits:
            raise InputError(f"{path}: refers to clips without frames only")
        records[kind] = splits
        digests[kind] = _digest(*made_of, path)
    return RecordFiles(clips, records, digests, dropped)


_FORMS: dict[str, tuple[str, type[PackedPair] | type[Sequence]]] = {
    "pairs": (PAIRS_FILE, PackedPair),
    "sequences": (SEQUENCES_FILE, Interleaved),
    "single": (SINGLE_FILE, Single),
}
"""Kind of record -> its file, and what a line must hold."""


def _read_clips(source: Path) -> tuple[Clips, set[str]]:
    """The clips with frames, and the ids of the others."""
    frames = read_frames(source)
    clips: Clips = {}
    without: set[str] = set()
    path = source / CLIPS_FILE
    for _, clip in stream_distinct(path, PackedClip, "is named in line {line} too"):
        if clip.clip in frames:
            clips.setdefault(clip.split, []).append(
                ClipSource(
                    clip.clip, clip.keystep, clip.activity, clip.narration, frames[clip.clip]
                )
            )
        else:
            without.add(clip.clip)
    if not clips:
        raise InputError(f"{source / FRAMES_FILE}: has frames of no clip of {CLIPS_FILE}")
    return clips, without


Index = Mapping[str, tuple[str, int]]
"""Clip id -> its split and its index there."""


def _indexed(
    line: JsonLine, record: PackedPair | Sequence, index: Index
) -> PairRecord | SequenceRecord:
    """The record with its clips as indices; InputError if its split has no such clip."""
    clips = tuple(
        _clip_index(line, field, clip, record.split, index) for field, clip in record.named_clips()
    )
    if isinstance(record, PackedPair):
        reference, candidate = clips
        return PairRecord(reference, candidate, tuple(map(_question, record.questions)))
    return SequenceRecord(clips, tuple(record.narrations))


def _question(question: WeightedQuestion) -> QuestionAnswer:
    return QuestionAnswer(question.question, question.answer, question.weight)


def _clip_index(line: JsonLine, field: str, name: str, split: str, index: Index) -> int:
    if name not in index:
        line.fail(field, f"names a clip that {CLIPS_FILE} lacks", name)
    owner, number = index[name]
    if owner != split:
        line.fail(field, f"names a clip of split {owner!r} in split {split!r}", name)
    return number


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
