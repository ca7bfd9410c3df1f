"""Questions about any number of videos, or none, batched so that a shared prefix is run once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.data.packing import Example, RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import Conversation, Segment, Text, clips_prefix, question_branch
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.clips import ClipTable
from stepdiff_jax.layout import PackedRows

LENGTH_STEP = 64
"""Row lengths are rounded up to a multiple of this, so that few programs are compiled."""


@dataclass(frozen=True)
class Request:
    """What a model is asked: a conversation with one branch, which ends where the answer begins.

    Its videos are indices into the latents that are passed with the requests. `answer` is the text
    whose likelihood is wanted; it is empty if the model is to generate one.

    Raises ValueError if the conversation does not have exactly one branch.
    """

    conversation: Conversation
    answer: str = ""

    def __post_init__(self) -> None:
        if len(self.conversation.branches) != 1:
            branches = len(self.conversation.branches)
            raise ValueError(f"a request needs a conversation with one branch, not {branches}")

    @property
    def branch(self) -> tuple[Segment, ...]:
        """The question, followed by the answer whose likelihood is wanted, if any."""
        (asked,) = self.conversation.branches
        return (*asked, Text(self.answer, 1.0)) if self.answer else asked


def clips_request(
    table: ClipTable, clips: Sequence[str], question: str, answer: str = ""
) -> Request:
    """A question about any number of clips of a table.

    One clip is introduced in AnyMAL's words, two in the paper's (section 3.3), more by number.

    Raises InputError if the table lacks a clip.
    """
    prefix = clips_prefix([table.segment(clip) for clip in clips])
    return Request(Conversation(prefix, (question_branch(question),)), answer)


def pair_request(
    table: ClipTable, reference: str, candidate: str, question: str, answer: str = ""
) -> Request:
    """`clips_request` for a pair."""
    return clips_request(table, (reference, candidate), question, answer)


def latents_of(latents: np.ndarray | None, width: int) -> np.ndarray:
    """The latents, or one of zeros [1, 1, width] to gather from if there are none."""
    return np.zeros((1, 1, width), np.float32) if latents is None else latents


@dataclass(frozen=True)
class RequestBatch:
    """Rows of one conversation each, ready for a model.

    rows: PackedRows [B, L]; latents: [B, videos, latents, E].
    requests: int [B, S], the request that each branch answers, -1 for absent branches.
    """

    rows: PackedRows
    latents: jax.Array
    requests: np.ndarray


def batch_requests(
    requests: Sequence[Request],
    tokenizer: Tokenizer,
    latents: jax.Array | None,
    *,
    width: int,
    batch_rows: int,
    branches: int,
) -> Iterator[RequestBatch]:
    """Batches of rows of similar length; up to `branches` requests of equal prefix share a row.

    Args:
        latents: [clips, latents, E] of the clips that the requests show; None for text alone.
        width: E, the language model's.
    Raises:
        InputError: a request shows a clip that has no latents.
    """
    clips = 0 if latents is None else len(latents)
    if latents is None:  # rows need something to gather from
        latents = jnp.zeros((1, 1, width))
    laid_out = [
        (_lay_out([requests[number] for number in group], tokenizer, latents.shape[1]), group)
        for group in _groups(requests, branches)
    ]
    for example, _ in laid_out:
        if max(example.clips, default=-1) >= clips:
            raise InputError(f"a request shows clip {max(example.clips)} of {clips} clips")
    laid_out.sort(key=lambda pair: pair[0].length)
    videos = max([1, *(len(example.clips) for example, _ in laid_out)])
    for start in range(0, len(laid_out), batch_rows):
        batch = laid_out[start : start + batch_rows]
        rows, shown = _rows([example for example, _ in batch], batch_rows, videos, latents.shape[1])
        numbers = np.full((batch_rows, branches), -1)
        for row, (_, group) in zip(numbers, batch):
            row[: len(group)] = group
        yield RequestBatch(rows, latents[shown], numbers)


def _groups(requests: Sequence[Request], branches: int) -> list[list[int]]:
    """Indices of the requests of each row."""
    prefixes: dict[tuple[Segment, ...], list[int]] = {}
    for number, request in enumerate(requests):
        prefixes.setdefault(request.conversation.prefix, []).append(number)
    return [
        numbers[start : start + branches]
        for numbers in prefixes.values()
        for start in range(0, len(numbers), branches)
    ]


def _lay_out(group: Sequence[Request], tokenizer: Tokenizer, latents: int) -> Example:
    branches = tuple(request.branch for request in group)
    return lay_out(Conversation(group[0].conversation.prefix, branches), tokenizer, latents)


def _rows(
    examples: Sequence[Example], batch_rows: int, videos: int, latents: int
) -> tuple[PackedRows, np.ndarray]:
    """A row per example, and empty rows to fill the batch; and their clips, int32 [B, videos]."""
    longest = max(example.length for example in examples)
    length = -(-longest // LENGTH_STEP) * LENGTH_STEP
    shape = RowShape(length, videos=videos, answers=length)
    packed = [pack_row([example], shape, latents) for example in examples]
    packed += [pack_row([], shape, latents)] * (batch_rows - len(packed))
    rows = PackedRows(*(np.stack(column) for column in zip(*(row for row, _ in packed))))
    return rows, np.maximum(np.stack([clips for _, clips in packed]), 0)
