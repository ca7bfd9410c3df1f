"""From conversations to packed rows: token layout, and the assignment of records to rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stepdiff_jax.data.chat import Rendered, in_template
from stepdiff_jax.data.prompts import Conversation, Video
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Special
from stepdiff_jax.layout import PackedRows


@dataclass(frozen=True)
class Example:
    """One conversation laid out on its own; arrays of length n as in `PackedRows`.

    visual_slot counts from 0 within the conversation, segment 1 is the prefix and parent is 0 or 1.
    """

    rows: PackedRows
    clips: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.rows.tokens)

    @property
    def answers(self) -> int:
        """Tokens that carry a loss."""
        return int(np.count_nonzero(self.rows.loss_mask))


@dataclass(frozen=True)
class RowShape:
    """The capacity of one row: tokens, videos and answer tokens."""

    length: int
    videos: int
    answers: int


@dataclass(frozen=True)
class Lengths:
    """What each record needs in a row; int arrays [records]."""

    length: np.ndarray
    videos: np.ndarray
    answers: np.ndarray


class _Writer:
    """Appends segments of one conversation to growing columns."""

    def __init__(self, tokenizer: Tokenizer, latents: int):
        self.tokenizer = tokenizer
        self.latents = latents
        self.columns: list[list[float]] = [[] for _ in PackedRows._fields]
        self.videos = 0

    def append(
        self, segments: Sequence[Rendered], *, segment: int, parent: int, position: int
    ) -> int:
        """Write one segment of the layout; returns the position after its last token."""
        start = len(self.columns[0])
        for part in segments:
            if isinstance(part, Video):
                first = self.videos * self.latents
                self.columns[0] += [0] * self.latents
                self.columns[1] += range(first, first + self.latents)
                self.columns[5] += [0.0] * self.latents
                self.videos += 1
            elif isinstance(part, Special):
                self._append_text([self.tokenizer.special(part.name)], 0.0)
            else:
                ids = [*self.tokenizer.encode(part.text), *([self.tokenizer.eos] * part.end)]
                self._append_text(ids, part.loss_weight)
        count = len(self.columns[0]) - start
        if count and self.columns[5][start] and parent:
            raise InputError("a branch must begin with a question: its first token has a loss")
        self.columns[2] += range(position, position + count)
        self.columns[3] += [segment] * count
        self.columns[4] += [parent] * count
        return position + count

    def _append_text(self, ids: Sequence[int], weight: float) -> None:
        self.columns[0] += ids
        self.columns[1] += [-1] * len(ids)
        self.columns[5] += [weight] * len(ids)


def lay_out(conversation: Conversation, tokenizer: Tokenizer, latents: int) -> Example:
    """Token layout of one conversation in the tokenizer's family: BOS, the prefix, each branch.

    Raises InputError if a branch contains a video or begins with an answer.
    """
    chat = in_template(conversation, tokenizer.family)
    writer = _Writer(tokenizer, latents)
    for column, value in zip(writer.columns, (tokenizer.bos, -1, 0, 1, 0, 0.0)):
        column.append(value)
    end = writer.append(chat.prefix, segment=1, parent=0, position=1)
    for number, branch in enumerate(chat.branches):
        if any(isinstance(part, Video) for part in branch):
            raise InputError("a branch holds a video: videos are allowed in the prefix only")
        writer.append(branch, segment=number + 2, parent=1, position=end)
    kinds = [np.int32] * 5 + [np.float32]
    rows = PackedRows(*(np.array(column, kind) for column, kind in zip(writer.columns, kinds)))
    return Example(rows, conversation.clips)


def plan_rows(lengths: Lengths, shape: RowShape, order: np.ndarray) -> list[list[int]]:
    """First-fit packing of the records in `order`, with a bounded number of open rows.

    A pure function of its arguments, so rows can be read in any order by any number of hosts.

    Returns:
        the record indices of each row.
    Raises:
        InputError: a record does not fit in an empty row (nothing is ever truncated).
    """
    limits = np.array([shape.length, shape.videos, shape.answers])
    needs = np.stack([lengths.length, lengths.videos, lengths.answers], axis=1)
    over = np.argwhere(needs[order] > limits)
    if len(over):
        record, kind = int(order[over[0][0]]), int(over[0][1])
        field = ("row_length", "row_videos", "row_answers")[kind]
        raise InputError(
            f"record {record} needs {field} {needs[record, kind]}, the configuration has "
            f"{limits[kind]}"
        )
    open_rows = 32
    rows: list[list[int]] = []
    left = np.zeros((0, 3), np.int64)
    window: list[int] = []
    for record in order:
        need = needs[record]
        fits = np.flatnonzero((left >= need).all(axis=1))
        if len(fits):
            index = int(fits[0])
        else:
            if len(window) == open_rows:
                fullest = int(left[:, 0].argmin())
                window.pop(fullest)
                left = np.delete(left, fullest, axis=0)
            index = len(window)
            window.append(len(rows))
            rows.append([])
            left = np.concatenate([left, limits[None]])
        rows[window[index]].append(int(record))
        left[index] -= need
    return rows


def pack_row(
    examples: Sequence[Example], shape: RowShape, latents: int
) -> tuple[PackedRows, np.ndarray]:
    """Concatenate laid-out conversations into one row.

    Returns:
        the row (arrays [L]) and its clip indices int32 [videos], -1 for unused slots.
    """
    columns = [np.zeros(shape.length, np.int32) for _ in range(5)]
    columns.append(np.zeros(shape.length, np.float32))
    columns[1][:] = -1
    clips = np.full(shape.videos, -1, np.int32)
    start = videos = segments = 0
    for example in examples:
        stop = start + example.length
        rows = example.rows
        visual = rows.visual_slot >= 0
        shifted = rows._replace(
            visual_slot=np.where(visual, rows.visual_slot + videos * latents, -1),
            segment=rows.segment + segments,
            parent=np.where(rows.parent > 0, rows.parent + segments, 0),
        )
        for column, values in zip(columns, shifted):
            column[start:stop] = values
        clips[videos : videos + len(example.clips)] = example.clips
        start, videos = stop, videos + len(example.clips)
        segments += int(rows.segment.max())
    return PackedRows(*columns), clips
