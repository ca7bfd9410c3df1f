"""Questions about pairs of clips, grouped so that each pair's prefix is run once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.data.packing import Example, RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import (
    Conversation,
    Segment,
    Text,
    Video,
    pair_prefix,
    question_branch,
)
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.layout import PackedRows

LENGTH_STEP = 64
"""Row lengths are rounded up to a multiple of this, so that few programs are compiled."""


@dataclass(frozen=True)
class Request:
    """One question about a pair of clips; `answer` is the text whose likelihood is asked."""

    reference: str
    candidate: str
    question: str
    answer: str = ""


class ClipTable(Protocol):
    """What stands in a clip's slot: a video's latents, or a text that stands in for it."""

    @property
    def latents(self) -> jax.Array:
        """[clips, latents, E]; one clip of zeros where slots hold text."""
        ...

    def segment(self, clip: str) -> Segment: ...


@dataclass(frozen=True)
class LatentTable:
    """Clips by their latents, which are computed once per clip.

    ids: clip ids; latents: [clips, latents, E] in the same order.
    """

    ids: dict[str, int]
    latents: jax.Array

    def segment(self, clip: str) -> Segment:
        if clip not in self.ids:
            raise InputError(f"clip {clip!r} is not among the {len(self.ids)} clips of the data")
        return Video(self.ids[clip])


@dataclass(frozen=True)
class DescriptionTable:
    """Clips by a text (Socratic models); `width` is the language model's."""

    descriptions: dict[str, str]
    width: int

    @property
    def latents(self) -> jax.Array:
        return jnp.zeros((1, 1, self.width))

    def segment(self, clip: str) -> Segment:
        if clip not in self.descriptions:
            raise InputError(f"clip {clip!r} has no description")
        return Text(self.descriptions[clip])


@dataclass(frozen=True)
class RequestBatch:
    """Rows of one conversation each, ready for a model.

    rows: PackedRows [B, L]; clips: int32 [B, videos], indices into the table's latents.
    requests: int [B, S], the request that each branch answers, -1 where there is none.
    """

    rows: PackedRows
    clips: np.ndarray
    requests: np.ndarray


def batch_requests(
    requests: Sequence[Request],
    table: ClipTable,
    tokenizer: Tokenizer,
    *,
    batch_rows: int,
    branches: int,
) -> Iterator[RequestBatch]:
    """Group requests by pair, at most `branches` a row, and batch rows of similar length."""
    pairs: dict[tuple[str, str], list[int]] = {}
    for number, request in enumerate(requests):
        pairs.setdefault((request.reference, request.candidate), []).append(number)
    groups = [
        numbers[start : start + branches]
        for numbers in pairs.values()
        for start in range(0, len(numbers), branches)
    ]
    latents = table.latents.shape[1]
    laid_out = [(_lay_out(group, requests, table, tokenizer, latents), group) for group in groups]
    laid_out.sort(key=lambda pair: pair[0].length)
    for start in range(0, len(laid_out), batch_rows):
        yield _batch(laid_out[start : start + batch_rows], batch_rows, branches, latents)


def _lay_out(
    group: Sequence[int],
    requests: Sequence[Request],
    table: ClipTable,
    tokenizer: Tokenizer,
    latents: int,
) -> Example:
    first = requests[group[0]]
    prefix = pair_prefix(table.segment(first.reference), table.segment(first.candidate))
    asked = (requests[number] for number in group)
    answered = [
        question_branch(one.question, Text(one.answer, 1.0) if one.answer else None)
        for one in asked
    ]
    return lay_out(Conversation(prefix, tuple(answered)), tokenizer, latents)


def _batch(
    laid_out: Sequence[tuple[Example, list[int]]], batch_rows: int, branches: int, latents: int
) -> RequestBatch:
    longest = max(example.length for example, _ in laid_out)
    length = -(-longest // LENGTH_STEP) * LENGTH_STEP
    shape = RowShape(length, videos=2, answers=length)
    packed = [pack_row([example], shape, latents) for example, _ in laid_out]
    packed += [pack_row([], shape, latents)] * (batch_rows - len(packed))
    numbers = np.full((batch_rows, branches), -1)
    for row, (_, group) in zip(numbers, laid_out):
        row[: len(group)] = group
    rows = PackedRows(*(np.stack(column) for column in zip(*(row for row, _ in packed))))
    return RequestBatch(rows, np.maximum(np.stack([clips for _, clips in packed]), 0), numbers)
