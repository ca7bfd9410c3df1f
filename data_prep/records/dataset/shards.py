"""A shard of a dataset: its records, and writing it in any process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.utils import incomplete_file

from data_prep.frames.files import read_images
from data_prep.records.dataset.files import ClipSource, RecordFiles
from data_prep.records.dataset.writer import SortedWriter
from stepdiff_jax.data.records import (
    ConversationRecord,
    PairRecord,
    QuestionAnswer,
    SequenceRecord,
)
from stepdiff_jax.local_path import local_path


@dataclass(frozen=True)
class RecordShard:
    """Records `start` to `stop` (exclusive) of one kind and split, and the file to write.

    Small enough to send to a worker, which reads the records from `source` itself.
    """

    source: Path
    digest: str
    """Digest of the source files of `kind`, see `RecordFiles`."""
    kind: str
    split: str
    start: int
    stop: int
    path: Path


def by_split(files: RecordFiles, kind: str) -> Mapping[str, Sequence[Any]]:
    """Split -> its records of `kind`, in file order."""
    return files.clips if kind == "clips" else files.records[kind]


def write_shard(
    shard: RecordShard,
    files: RecordFiles,
    advance: Callable[[int], None] = lambda records: None,
) -> None:
    """Write one shard atomically, with the same bytes in every process.

    Args:
        files: the contents of `shard.source`.
        advance: called with 1 after every record.
    Raises:
        InputError: a clip's frames cannot be read.
    """
    features = tfds.features.FeaturesDict(FEATURES[shard.kind])
    serializer = tfds.core.ExampleSerializer(features.get_serialized_info())
    records = by_split(files, shard.kind)[shard.split][shard.start : shard.stop]

    def serialized() -> Iterator[tuple[int, bytes]]:
        for number, example in enumerate(_examples(records)):
            yield number, serializer.serialize_example(features.encode_example(example))
            advance(1)

    # A runner may write the same shard twice at once; TFDS removes what killed workers leave.
    with incomplete_file(local_path(shard.path)) as unfinished:
        SortedWriter(tfds.core.FileFormat.ARRAY_RECORD).write(unfinished, serialized())


def _examples(records: Sequence[Any]) -> Iterator[dict[str, Any]]:
    if isinstance(records[0], ClipSource):
        return map(_clip, records)
    if isinstance(records[0], ConversationRecord):
        return map(_conversation, records)
    return map(_pair if isinstance(records[0], PairRecord) else _sequence, records)


_TEXT = tfds.features.Text()
_QUESTIONS = tfds.features.Sequence({"question": _TEXT, "answer": _TEXT, "weight": np.float32})
FEATURES: dict[str, dict[str, Any]] = {
    "clips": {
        "id": _TEXT,
        "keystep": _TEXT,
        "activity": _TEXT,
        "narration": _TEXT,
        "frames": tfds.features.Sequence(_TEXT),
        # Arrays as bytes: fifty times faster to read than TFDS's own encoding.
        "times": tfds.features.Tensor(
            shape=(None,), dtype=np.float32, encoding=tfds.features.Encoding.BYTES
        ),
    },
    "pairs": {
        "reference": np.int32,
        "candidate": np.int32,
        "questions": _QUESTIONS,
    },
    "sequences": {
        "clips": tfds.features.Sequence(np.int32),
        "narrations": tfds.features.Sequence(_TEXT),
    },
    "conversations": {
        "clips": tfds.features.Sequence(np.int32),
        "system": _TEXT,
        "turns": _QUESTIONS,
    },
}
FEATURES["single"] = FEATURES["sequences"]


def _clip(clip: ClipSource) -> dict[str, Any]:
    return {
        "id": clip.id,
        "keystep": clip.keystep,
        "activity": clip.activity,
        "narration": clip.narration,
        "frames": read_images(clip.frames),
        "times": np.asarray(clip.frames.times, np.float32),
    }


def _pair(pair: PairRecord) -> dict[str, Any]:
    return {
        "reference": pair.reference,
        "candidate": pair.candidate,
        "questions": [_question(question) for question in pair.questions],
    }


def _question(question: QuestionAnswer) -> dict[str, Any]:
    return {
        "question": question.question,
        "answer": question.answer,
        "weight": question.weight,
    }


def _sequence(sequence: SequenceRecord) -> dict[str, Any]:
    return {"clips": list(sequence.clips), "narrations": list(sequence.narrations)}


def _conversation(conversation: ConversationRecord) -> dict[str, Any]:
    return {
        "clips": list(conversation.clips),
        "system": conversation.system,
        "turns": [_question(turn) for turn in conversation.turns],
    }
