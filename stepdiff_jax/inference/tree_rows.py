"""Rows of question trees as arrays of one shape, ready for a model."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stepdiff_jax.inference.tree import Node, Row
from stepdiff_jax.layout import PackedRows


class TreeRows(NamedTuple):
    """Rows of trees; all arrays are int32.

    rows: PackedRows [B, L], whose loss mask is unused.
    above: [B, L, D], the segments above each token's own, 0 for none.
    predictor: [B, A], index in the row of the token that predicts a token of an answer.
    target: [B, A], that token of the answer; 0 where there is none.
    """

    rows: PackedRows
    above: np.ndarray
    predictor: np.ndarray
    target: np.ndarray


class Shape(NamedTuple):
    """Capacity of each row: tokens, segments above a token, videos and tokens of answers."""

    length: int
    depth: int
    videos: int
    answers: int


def shape_of(rows: Sequence[Row]) -> Shape:
    """The smallest of a few shapes that holds all rows, so that few programs are compiled."""
    return Shape(
        _rounded(max(row.tokens for row in rows), 64),
        max(2, max(_depth(row) for row in rows)),
        _power_of_two(max(len(row.clips) for row in rows)),
        _rounded(max(row.answers for row in rows), 32),
    )


def lay_out(rows: Sequence[Row], count: int, latents: int) -> tuple[TreeRows, np.ndarray]:
    """Arrays of `count` rows, the last ones empty if there are fewer.

    Args:
        latents: number of tokens per clip.
    Returns:
        the rows, and their clips int32 [count, videos], 0 where there is none.
    """
    shape = shape_of(rows)
    arrays = TreeRows(
        PackedRows(*(np.zeros((count, shape.length), np.int32) for _ in PackedRows._fields)),
        np.zeros((count, shape.length, shape.depth), np.int32),
        np.zeros((count, shape.answers), np.int32),
        np.zeros((count, shape.answers), np.int32),
    )
    arrays.rows.visual_slot[:] = -1
    clips = np.zeros((count, shape.videos), np.int32)
    for number, row in enumerate(rows):
        _Writer(arrays, number, latents).write(row)
        clips[number, : len(row.clips)] = row.clips
    return arrays, clips


class _Writer:
    """Writes one row: all nodes first, each after its parent, and then the answers."""

    def __init__(self, arrays: TreeRows, number: int, latents: int):
        self.rows = PackedRows(*(column[number] for column in arrays.rows))
        self.above = arrays.above[number]
        self.predictor, self.target = arrays.predictor[number], arrays.target[number]
        self.latents = latents
        self.used = self.videos = self.segments = 0

    def write(self, row: Row) -> None:
        followed, ends = _followers(row), dict[Node, int]()
        lineage: dict[Node, tuple[int, ...]] = {}
        for node in row.nodes:
            alone = node.parent is not None and followed[node.parent] == 1
            above = lineage[node.parent] if node.parent is not None else ()
            lineage[node] = above if alone else (*above, self._new_segment())
            self._append(node.tokens.ids, node.position, lineage[node])
            if node.tokens.clip >= 0:
                first = self.videos * self.latents
                slots = np.arange(first, first + self.latents)
                self.rows.visual_slot[self.used - self.latents : self.used] = slots
                self.videos += 1
            ends[node] = self.used - 1
        asked = 0
        for leaf in row.leaves:
            count = len(leaf.answer)
            start = self.used
            above = lineage[leaf.last]
            own = above if followed[leaf.last] == 1 else (*above, self._new_segment())
            self._append(leaf.answer[:-1], leaf.last.end, own)
            read = np.arange(start, self.used, dtype=np.int32)
            if count:
                self.predictor[asked : asked + count] = np.append(ends[leaf.last], read)
            self.target[asked : asked + count] = leaf.answer
            asked += count

    def _append(self, ids: np.ndarray, position: int, lineage: tuple[int, ...]) -> None:
        stop = self.used + len(ids)
        where = slice(self.used, stop)
        *above, own = lineage
        self.rows.tokens[where] = ids
        self.rows.positions[where] = np.arange(position, position + len(ids))
        self.rows.segment[where] = own
        self.above[where, : len(above)] = above
        self.used = stop

    def _new_segment(self) -> int:
        self.segments += 1
        return self.segments


def _followers(row: Row) -> Counter[Node]:
    """How many nodes and answers of the row follow each node."""
    followed = Counter(node.parent for node in row.nodes if node.parent is not None)
    followed.update(leaf.last for leaf in row.leaves)
    return followed


def _depth(row: Row) -> int:
    """The largest number of segments above a token."""
    followed, depth = _followers(row), dict[Node, int]()
    for node in row.nodes:
        parent = node.parent
        depth[node] = 0 if parent is None else depth[parent] + (followed[parent] > 1)
    return max(depth[leaf.last] + (followed[leaf.last] > 1) for leaf in row.leaves)


def _rounded(number: int, step: int) -> int:
    return max(1, -(-number // step)) * step


def _power_of_two(number: int) -> int:
    return 1 << max(0, number - 1).bit_length()
