"""Record types, and reading them from the ArrayRecord datasets that `stepdiff prep pack` writes.

A record set is a TFDS dataset `stepdiff_pairs/<kind>`; records keep the order of the lines that
they were packed from, so clips are referred to by index. TensorFlow is never imported.
"""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np

from stepdiff_jax.data.prompts import (
    Conversation,
    Text,
    answer_text,
    dialogue,
    interleaved_conversation,
    pair_conversation,
    single_conversation,
)
from stepdiff_jax.errors import InputError
from stepdiff_jax.local_path import local_path

DATASET = "stepdiff_pairs"
VERSION = "1.0.0"
KINDS = ("clips", "pairs", "sequences", "single", "conversations")

NARRATION_QUESTION = "what does the person say"
"""The question about a single video, answered by its narration (ours)."""


@dataclass(frozen=True)
class ClipRecord:
    """A clip of one keystep.

    `frames` are T JPEG images, `times` float32 [T] seconds since the video's start.
    """

    id: str
    keystep: str
    activity: str
    narration: str
    frames: tuple[bytes, ...]
    times: np.ndarray


@dataclass(frozen=True)
class QuestionAnswer:
    """A question about a pair; `weight` scales the loss of its answer's tokens."""

    question: str
    answer: str
    weight: float = 1.0


@dataclass(frozen=True)
class PairRecord:
    """Questions about two clips, which are indices into the clips of the same split."""

    reference: int
    candidate: int
    questions: tuple[QuestionAnswer, ...]


@dataclass(frozen=True)
class SequenceRecord:
    """Consecutive clips of one video (indices, as in `PairRecord`) and what is said in each."""

    clips: tuple[int, ...]
    narrations: tuple[str, ...]


@dataclass(frozen=True)
class ConversationRecord:
    """Questions about clips (indices, as in `PairRecord`), each asked after the earlier answers.

    `system` and the places of the videos: see `prompts.dialogue`.
    """

    clips: tuple[int, ...]
    turns: tuple[QuestionAnswer, ...]
    system: str = ""


TrainingRecord = PairRecord | SequenceRecord | ConversationRecord

Record = TypeVar("Record")


class Records(Sequence[Record], Generic[Record]):
    """Records by index, read from disk on access; thread-safe.

    Access raises InputError if a file of the dataset is missing or damaged.
    """

    def __init__(self, source: Any, parse: Callable[[Mapping[str, Any]], Record], path: Path):
        self._source, self._parse, self._path = source, parse, path

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"record {number} of {len(self)}")
        try:
            fields = self._source[number % len(self)]
        except Exception as error:  # ArrayRecord raises RuntimeError for most
            raise _unreadable(self._path, error) from error
        return self._parse(fields)


def open_records(directory: Path | str, kind: str, split: str) -> Records[Any]:
    """The records of one of `KINDS` and one split.

    Raises:
        InputError: the dataset or the split is missing, empty or damaged, or the records were
            packed with clips other than those beside them, so that their indices are meaningless.
    """
    # TFDS takes a second to import; commands that read no records should not wait for it.
    import tensorflow_datasets as tfds

    path = _dataset_path(directory, kind)
    try:
        builder = tfds.builder_from_directory(local_path(path))
        splits = {name: info.num_examples for name, info in builder.info.splits.items()}
    except Exception as error:  # TFDS passes on whatever its parsers raise
        raise _unreadable(path, error) from error
    if not splits.get(split):
        raise InputError(f"{path}: no records of split {split!r}, it has {sorted(splits)}")
    if _metadata(directory, kind)["clips"] != _metadata(directory, "clips")["clips"]:
        raise InputError(
            f"{path}: packed with other clips than {_dataset_path(directory, 'clips')}"
        )
    try:
        source = builder.as_data_source(split)
    except Exception as error:
        raise _unreadable(path, error) from error
    return Records(source, _PARSERS[kind], path)


def dataset_digest(directory: Path | str, kind: str) -> str:
    """SHA-256 of the files that a record set was packed from; InputError if it is missing."""
    return _metadata(directory, kind)["source"]


def clip_splits(directory: Path | str) -> tuple[str, ...]:
    """Names of the splits that a directory of datasets has clips of, sorted; InputError if none."""
    splits = tuple(sorted(name for name, ids in _clip_ids(directory).items() if ids))
    if not splits:
        raise InputError(f"{_dataset_path(directory, 'clips')}: no clips")
    return splits


def clip_ids(directory: Path | str, split: str) -> tuple[str, ...]:
    """Ids of the clips of one split in the order of their indices, without reading frames.

    Raises:
        InputError: the dataset or the split is missing.
    """
    ids = _clip_ids(directory)
    if split not in ids:
        path = _dataset_path(directory, "clips")
        raise InputError(f"{path}: no records of split {split!r}, it has {sorted(ids)}")
    return tuple(ids[split])


def frames_per_clip(directory: Path | str, split: str) -> int:
    """How many frames each clip of a dataset has; what `encoder.frames` must be.

    Raises:
        InputError: the dataset or the split is missing.
    """
    frames = _metadata(directory, "clips").get("frames")
    return frames or len(open_records(directory, "clips", split)[0].frames)


def conversation_of(record: TrainingRecord) -> Conversation:
    """The training conversation of a record; a single clip is asked `NARRATION_QUESTION`."""
    if isinstance(record, PairRecord):
        return pair_conversation(record.reference, record.candidate, _asked(record.questions))
    if isinstance(record, ConversationRecord):
        return dialogue(record.clips, _asked(record.turns), record.system)
    if len(record.clips) == 1:
        answer = answer_text(record.narrations[0])
        return single_conversation(record.clips[0], [(NARRATION_QUESTION, answer)])
    return interleaved_conversation(record.clips, record.narrations)


def _asked(questions: Sequence[QuestionAnswer]) -> list[tuple[str, Text]]:
    return [(one.question, answer_text(one.answer, one.weight)) for one in questions]


def dataset_path(directory: Path | str, kind: str) -> Path:
    """The path of the dataset of one kind in a directory of datasets."""
    return Path(directory) / DATASET / kind / VERSION


def _dataset_path(directory: Path | str, kind: str) -> Path:
    if kind not in KINDS:
        raise InputError(f"{directory}: no record set is named {kind!r}; known: {', '.join(KINDS)}")
    path = dataset_path(directory, kind)
    if not (path / "dataset_info.json").is_file():
        raise InputError(f"{path}: no dataset here (stepdiff prep pack writes it)")
    return path


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(f"{path}: cannot be read as a dataset ({reason}); run prep pack again")


def _metadata(directory: Path | str, kind: str) -> dict[str, Any]:
    path = _dataset_path(directory, kind) / "metadata.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}; run prep pack again") from error
    missing = sorted({"clips", "source"} - set(found if isinstance(found, dict) else ()))
    if missing:
        raise InputError(f"{path}: field {missing[0]!r} is missing; run prep pack again")
    return found


def _clip_ids(directory: Path | str) -> dict[str, list[str]]:
    return _metadata(directory, "clips")["clip_ids"]


def _clip(fields: Mapping[str, Any]) -> ClipRecord:
    texts = {name: fields[name].decode() for name in ("id", "keystep", "activity", "narration")}
    return ClipRecord(**texts, frames=tuple(fields["frames"]), times=fields["times"])


def _pair(fields: Mapping[str, Any]) -> PairRecord:
    questions = _questions(fields["questions"])
    return PairRecord(int(fields["reference"]), int(fields["candidate"]), questions)


def _conversation(fields: Mapping[str, Any]) -> ConversationRecord:
    clips = tuple(int(clip) for clip in fields["clips"])
    return ConversationRecord(clips, _questions(fields["turns"]), fields["system"].decode())


def _questions(fields: Mapping[str, Any]) -> tuple[QuestionAnswer, ...]:
    columns = (fields[name] for name in ("question", "answer", "weight"))
    return tuple(
        QuestionAnswer(question.decode(), answer.decode(), float(weight))
        for question, answer, weight in zip(*columns, strict=True)
    )


def _sequence(fields: Mapping[str, Any]) -> SequenceRecord:
    return SequenceRecord(
        tuple(int(clip) for clip in fields["clips"]),
        tuple(narration.decode() for narration in fields["narrations"]),
    )


_PARSERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "clips": _clip,
    "pairs": _pair,
    "sequences": _sequence,
    "single": _sequence,
    "conversations": _conversation,
}
