"""How much of a row each record of a set needs, computed once and cached beside the dataset."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stepdiff_jax.data.packing import Example, Lengths, lay_out
from stepdiff_jax.data.records import (
    ConversationRecord,
    PairRecord,
    QuestionAnswer,
    SequenceRecord,
    TrainingRecord,
    conversation_of,
    dataset_digest,
)
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.files import replacing

LENGTHS_DIRECTORY = "lengths"

PROBES = (
    PairRecord(0, 1, (QuestionAnswer("what", "this"),)),
    SequenceRecord((0,), ("this",)),
)
"""Records that cover every form of prompt, whatever the first record of a set is."""

_TURNS = (QuestionAnswer("what", "this"), QuestionAnswer("and", "that"))
CONVERSATION_PROBES = (
    ConversationRecord((0,), _TURNS),
    ConversationRecord((0, 1), _TURNS),
    ConversationRecord((0, 1, 2), _TURNS, "Look."),
    ConversationRecord((0,), (QuestionAnswer("in <video> what", "this"),)),
)
"""The same for conversations."""


def record_example(record: TrainingRecord, tokenizer: Tokenizer, latents: int) -> Example:
    """A record laid out as tokens."""
    return lay_out(conversation_of(record), tokenizer, latents)


def record_lengths(
    directory: Path | str,
    kind: str,
    split: str,
    records: Sequence[TrainingRecord],
    tokenizer: Tokenizer,
    latents: int,
) -> Lengths:
    """Lengths of all records, read from `directory`/lengths if computed before.

    The file name holds a digest of everything they depend on: the packed files, the tokenizer,
    the number of latents, and the prompt and chat template (via the tokens of the first record and
    of `PROBES`).
    """
    key = _key(dataset_digest(directory, kind), records[0], tokenizer, latents)
    path = Path(directory) / LENGTHS_DIRECTORY / f"{kind}-{split}-{key}.npy"
    try:
        table = np.load(path)
    except (OSError, ValueError):
        table = np.array([_needs(record, tokenizer, latents) for record in records], np.int32)
        _keep(path, table)
    return Lengths(*table.T)


def _needs(record: TrainingRecord, tokenizer: Tokenizer, latents: int) -> tuple[int, int, int]:
    example = record_example(record, tokenizer, latents)
    return example.length, len(example.clips), example.answers


def _key(digest: str, first: TrainingRecord, tokenizer: Tokenizer, latents: int) -> str:
    parts = hashlib.sha256(digest.encode())
    parts.update(hashlib.sha256(tokenizer.path.read_bytes()).digest())
    probes = CONVERSATION_PROBES if isinstance(first, ConversationRecord) else PROBES
    for record in (first, *probes):
        for column in record_example(record, tokenizer, latents).rows:
            parts.update(np.asarray(column).tobytes())
    return parts.hexdigest()[:16]


def _keep(path: Path, table: np.ndarray) -> None:
    try:
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.save(file, table)
    except OSError:
        # The datasets may be read-only; the lengths are then recomputed at every start.
        return
