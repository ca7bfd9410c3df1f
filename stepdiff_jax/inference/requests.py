"""Questions about any number of videos, or none, batched so that a shared prefix is run once."""

from collections.abc import Sequence
from dataclasses import dataclass

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
class Group:
    """Requests of equal prefix, laid out as one row.

    example: one conversation; requests: the request that each of its branches answers.
    """

    example: Example
    requests: tuple[int, ...]

    @property
    def rounded_length(self) -> int:
        """The length of the row that holds it."""
        return -(-self.example.length // LENGTH_STEP) * LENGTH_STEP


def group_requests(
    requests: Sequence[Request], tokenizer: Tokenizer, latents: np.ndarray | None, branches: int
) -> list[Group]:
    """Groups of up to `branches` requests of equal prefix, in the order of their first requests.

    Args:
        latents: [clips, latents, E] of the clips that the requests show; None for text alone.
    Raises:
        InputError: a request shows a clip that has no latents.
    """
    known, tokens = (0, 1) if latents is None else latents.shape[:2]
    prefixes: dict[tuple[Segment, ...], list[int]] = {}
    for number, request in enumerate(requests):
        prefixes.setdefault(request.conversation.prefix, []).append(number)
    groups = []
    for prefix, numbers in prefixes.items():
        for start in range(0, len(numbers), branches):
            group = tuple(numbers[start : start + branches])
            conversation = Conversation(prefix, tuple(requests[one].branch for one in group))
            example = lay_out(conversation, tokenizer, tokens)
            if max(example.clips, default=-1) >= known:
                raise InputError(f"a request shows clip {max(example.clips)} of {known} clips")
            groups.append(Group(example, group))
    return groups


def lay_out_rows(
    examples: Sequence[Example], count: int, length: int, videos: int, latents: int
) -> tuple[PackedRows, np.ndarray]:
    """`count` rows of `length` tokens, one per example and then empty ones.

    Returns:
        the rows, and their clips int32 [count, videos], 0 where there is none.
    """
    shape = RowShape(length, videos=videos, answers=length)
    packed = [pack_row([example], shape, latents) for example in examples]
    packed += [pack_row([], shape, latents)] * (count - len(packed))
    rows = PackedRows(*(np.stack(column) for column in zip(*(row for row, _ in packed))))
    return rows, np.maximum(np.stack([clips for _, clips in packed]), 0)
