"""Reads and checks the JSON Lines files that a dataset is packed from.

Every line is checked before the first record is written, so that an error in the last line does
not waste hours of packing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_prep.frames.files import StoredFrames, read_frames
from data_prep.schema.clips import CLIPS_FILE, FRAMES_FILE, PackedClip
from data_prep.schema.line import stream_distinct, stream_lines
from data_prep.schema.records import (
    CONVERSATIONS_FILE,
    SEQUENCES_FILE,
    SINGLE_FILE,
    Interleaved,
    PackedConversation,
    PackedPair,
    Sequence,
    Single,
)
from data_prep.schema.text import FILTERED_FILE, PAIRS_FILE, WeightedQuestion
from stepdiff_jax.data.records import (
    ConversationRecord,
    PairRecord,
    QuestionAnswer,
    SequenceRecord,
    TrainingRecord,
)
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import JsonLine


@dataclass(frozen=True)
class ClipSource:
    """A clip of clips.jsonl and its stored frames."""

    id: str
    keystep: str
    activity: str
    narration: str
    frames: StoredFrames


Clips = dict[str, list[ClipSource]]
"""Split -> its clips, in file order."""


@dataclass(frozen=True)
class RecordFiles:
    """The checked contents of a source directory by split, and their SHA-256 `digests` by kind.

    `records` has "pairs", "sequences", "single" and "conversations" if the source does. Records
    that refer to clips without frames are left out, and `dropped` counts them by kind.
    """

    clips: Clips
    records: dict[str, dict[str, list[TrainingRecord]]]
    digests: dict[str, str]
    dropped: dict[str, int]

    @property
    def frames(self) -> int:
        """Frames of each clip."""
        return len(next(iter(self.clips.values()))[0].frames.times)


def read_record_files(source: Path) -> RecordFiles:
    """Read clips.jsonl and frames.jsonl, and the files of `_FORMS` that exist.

    If filtered.jsonl exists, it is read in place of pairs.jsonl, which is then the pair stage's
    output without questions.

    Raises:
        InputError: a file is missing or empty, a field is missing or invalid, a clip appears twice,
            a record's clip is not in its split of clips.jsonl, no clip has frames, or clips have
            different numbers of them.
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
    for kind, (_, form) in _FORMS.items():
        path = record_file(source, kind)
        if not path.exists():
            continue
        splits: dict[str, list[TrainingRecord]] = {}
        dropped[kind] = 0
        for line, record in stream_lines(path, form):
            if not without.isdisjoint(clip for _, clip in record.named_clips()):
                dropped[kind] += 1
                continue
            splits.setdefault(record.split, []).append(_indexed(line, record, index))
        if not splits:
            raise InputError(f"{path}: all records refer to clips without frames")
        records[kind] = splits
        digests[kind] = _digest(*made_of, path)
    return RecordFiles(clips, records, digests, dropped)


Form = PackedPair | Sequence | PackedConversation

_FORMS: dict[str, tuple[str, type[Form]]] = {
    "pairs": (PAIRS_FILE, PackedPair),
    "sequences": (SEQUENCES_FILE, Interleaved),
    "single": (SINGLE_FILE, Single),
    "conversations": (CONVERSATIONS_FILE, PackedConversation),
}
"""Kind of record -> its file and the schema of a line."""


def record_file(source: Path, kind: str) -> Path:
    """The file that records of a kind are packed from; pairs from filtered.jsonl if it exists."""
    if kind == "clips":
        return source / CLIPS_FILE
    if kind == "pairs" and (source / FILTERED_FILE).exists():
        return source / FILTERED_FILE
    return source / _FORMS[kind][0]


def _read_clips(source: Path) -> tuple[Clips, set[str]]:
    """The clips with frames, and the ids of those without."""
    frames = read_frames(source)
    clips: Clips = {}
    without: set[str] = set()
    path = source / CLIPS_FILE
    for _, clip in stream_distinct(path, PackedClip, "is also in line {line}"):
        if clip.clip in frames:
            clips.setdefault(clip.split, []).append(
                ClipSource(
                    clip.clip, clip.keystep, clip.activity, clip.narration, frames[clip.clip]
                )
            )
        else:
            without.add(clip.clip)
    if not clips:
        raise InputError(f"{source / FRAMES_FILE}: has no frames of any clip in {CLIPS_FILE}")
    _require_one_number(source / FRAMES_FILE, clips)
    return clips, without


def _require_one_number(path: Path, clips: Clips) -> None:
    first, *others = [clip for group in clips.values() for clip in group]
    number = len(first.frames.times)
    for clip in others:
        if len(clip.frames.times) != number:
            raise InputError(
                f"{path}: clip {clip.id!r} has {len(clip.frames.times)} frames, but "
                f"{first.id!r} has {number}; a dataset has one number (prep frames --frames)"
            )


Index = Mapping[str, tuple[str, int]]
"""Clip id -> its split and its index in that split."""


def _indexed(line: JsonLine, record: Form, index: Index) -> TrainingRecord:
    """The record with clips as indices; raises InputError if its split lacks a clip."""
    clips = tuple(
        _clip_index(line, field, clip, record.split, index) for field, clip in record.named_clips()
    )
    if isinstance(record, PackedPair):
        reference, candidate = clips
        return PairRecord(reference, candidate, tuple(map(_question, record.questions)))
    if isinstance(record, PackedConversation):
        return ConversationRecord(clips, tuple(map(_question, record.turns)), record.system)
    return SequenceRecord(clips, tuple(record.narrations))


def _question(question: WeightedQuestion) -> QuestionAnswer:
    return QuestionAnswer(question.question, question.answer, question.weight)


def _clip_index(line: JsonLine, field: str, name: str, split: str, index: Index) -> int:
    if name not in index:
        line.fail(field, f"names a clip that is not in {CLIPS_FILE}", name)
    owner, number = index[name]
    if owner != split:
        line.fail(field, f"names a clip of split {owner!r} in a record of split {split!r}", name)
    return number


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
