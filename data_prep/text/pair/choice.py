"""Chooses pairs of clips of one keystep: the most similar first, up to the limits.

Pairs are chosen greedily, as if all of them were sorted, without holding all in memory: passes over
blocks of pairs, as many as needed, keep only the best remaining ones.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.similarity.base import Embed, Vectors, cosines
from stepdiff_jax.errors import InputError

BLOCK = 1 << 20
"""Pairs compared at once."""

KEPT = 1 << 22
"""Pairs kept for sorting, 8 bytes each; a keystep with more needs further passes."""

CHUNK = 1 << 14
"""Pairs handled one by one before those of used-up clips are dropped again."""

STEPS = 10_000
"""Similarities are rounded to 1 / STEPS, so that ties are broken by file order."""

REASONS = ("", "not similar enough", "too similar", "same description", "evaluation pair",
           "one video")  # fmt: skip
"""Why a pair is not taken; if several apply, the last one counts."""


@dataclass(frozen=True)
class PairLimits:
    """Limits on the pairs; all values are ours.

    lowest, highest: bounds of similarity, inclusive and exclusive.
    per_clip, per_keystep: maximum pairs per clip and per keystep. Each pair is written in both
        orders, with either clip as the reference.
    """

    lowest: float = 0.3
    highest: float = 0.98
    per_clip: int = 4
    per_keystep: int = 2000

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise InputError(f"--lowest {self.lowest}: must be below --highest {self.highest}")
        for name in ("per_clip", "per_keystep"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be positive")


class Described(NamedTuple):
    """A clip with its description."""

    clip: str
    video: str
    text: str


def choose_pairs(
    group: Sequence[Described],
    limits: PairLimits,
    exclude: EvaluationClips,
    embed: Embed | None,
    dropped: Counter[str],
) -> list[tuple[int, int, float]]:
    """Indices of the two clips and their similarity; the most similar pairs first.

    Args:
        embed: None to ignore the descriptions; the similarity is then 1.
        dropped: filled with counts of pairs not taken, by reason.
    """
    pairs = _Pairs(group, limits, exclude, embed)
    counts = np.zeros(len(REASONS), np.int64)
    used = np.zeros(len(group), np.int64)
    taken: list[tuple[int, int, float]] = []
    last, complete = -1, False
    while not complete and len(taken) < limits.per_keystep:
        blocks = pairs.keys(counts if last < 0 else np.zeros_like(counts))
        keys, complete = _first_keys(blocks, pairs, used < limits.per_clip, last)
        last = _take(keys, pairs, limits, used, taken) if len(keys) else last
    left = 0
    if len(taken) == limits.per_keystep:
        free = used < limits.per_clip
        blocks = pairs.keys(np.zeros_like(counts))
        left = sum(len(_behind(keys, pairs, free, last)) for keys in blocks)
    dropped.update(dict(zip(REASONS[1:], counts[1:].tolist())))
    dropped["keystep has enough pairs"] += left
    dropped["clip has enough pairs"] += int(counts[0]) - len(taken) - left
    return taken


class _Pairs:
    """The pairs of a group. A pair's key is an integer, smaller for more similar pairs."""

    def __init__(
        self,
        group: Sequence[Described],
        limits: PairLimits,
        exclude: EvaluationClips,
        embed: Embed | None,
    ):
        self.number, self._limits = len(group), limits
        self._vectors: Vectors | None = embed([one.text for one in group]) if embed else None
        self._videos = np.unique([one.video for one in group], return_inverse=True)[1]
        self._texts = np.unique([one.text for one in group], return_inverse=True)[1]
        clips = [one.clip for one in group]
        self._kept_out = np.array([exclude.keeps_out(clip) for clip in clips])
        index = {clip: number for number, clip in enumerate(clips)}
        evaluated = [
            (index[clip], index[other])
            for clip in clips
            for other in exclude.partners(clip)
            if other in index
        ]
        self._evaluated = np.array(evaluated, np.int64).reshape(-1, 2)

    def keys(self, counts: np.ndarray) -> Iterator[np.ndarray]:
        """Keys of the eligible pairs, int64, in blocks; adds to `counts`, indexed as REASONS."""
        height = max(1, BLOCK // max(1, self.number))
        for start in range(0, self.number, height):
            stop = min(start + height, self.number)
            levels = self._levels(start, stop)
            one, other = np.nonzero(
                np.arange(start, stop)[:, None] < np.arange(start, self.number)[None]
            )
            reasons = self._reasons(start, stop, levels)[one, other]
            counts += np.bincount(reasons, minlength=len(REASONS))
            good = reasons == 0
            one, other = one[good], other[good]
            index = (one + start) * self.number + other + start
            yield (STEPS - levels[one, other]) * self.number**2 + index

    def ends(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices of both clips, and the similarity in steps."""
        level, index = np.divmod(keys, self.number**2)
        return index // self.number, index % self.number, STEPS - level

    def _levels(self, start: int, stop: int) -> np.ndarray:
        """Similarities of clips `start` to `stop` to those from `start` on, in steps."""
        if self._vectors is None:
            return np.full((stop - start, self.number - start), STEPS, np.int64)
        found = cosines(self._vectors[start:stop], self._vectors[start:])
        return np.rint(found.astype(np.float64) * STEPS).astype(np.int64)

    def _reasons(self, start: int, stop: int, levels: np.ndarray) -> np.ndarray:
        """Index into REASONS for each pair."""
        reasons = np.zeros(levels.shape, np.int8)

        def mark(reason: str, where: np.ndarray) -> None:
            reasons[where] = REASONS.index(reason)

        def same(values: np.ndarray) -> np.ndarray:
            return values[start:stop, None] == values[None, start:]

        if self._vectors is not None:
            mark("not similar enough", levels / STEPS < self._limits.lowest)
            mark("too similar", levels / STEPS >= self._limits.highest)
            mark("same description", same(self._texts))
        kept_out = self._kept_out
        mark("evaluation pair", kept_out[start:stop, None] | kept_out[None, start:])
        one, other = self._evaluated.T
        here = (start <= one) & (one < stop) & (other > one)
        reasons[one[here] - start, other[here] - start] = REASONS.index("evaluation pair")
        mark("one video", same(self._videos))
        return reasons


def _behind(keys: np.ndarray, pairs: _Pairs, free: np.ndarray, last: int) -> np.ndarray:
    """The keys after `last` of pairs whose clips are both free."""
    keys = keys[keys > last]
    one, other, _ = pairs.ends(keys)
    return keys[free[one] & free[other]]


def _first_keys(
    blocks: Iterator[np.ndarray], pairs: _Pairs, free: np.ndarray, last: int
) -> tuple[np.ndarray, bool]:
    """The `KEPT` smallest keys after `last` of free clips, sorted, and whether these are all."""
    kept, complete = np.zeros(0, np.int64), True
    for keys in blocks:
        kept = np.concatenate([kept, _behind(keys, pairs, free, last)])
        if len(kept) > KEPT:
            kept, complete = np.partition(kept, KEPT - 1)[:KEPT], False
    return np.sort(kept), complete


def _take(
    keys: np.ndarray,
    pairs: _Pairs,
    limits: PairLimits,
    used: np.ndarray,
    taken: list[tuple[int, int, float]],
) -> int:
    """Take pairs in order of their keys, updating `used` and `taken`; returns the last key seen."""
    for start in range(0, len(keys), CHUNK):
        chunk = _behind(keys[start : start + CHUNK], pairs, used < limits.per_clip, -1)
        ends = (values.tolist() for values in pairs.ends(chunk))
        for key, one, other, level in zip(chunk.tolist(), *ends):
            if used[one] < limits.per_clip and used[other] < limits.per_clip:
                used[one] += 1
                used[other] += 1
                taken.append((one, other, level / STEPS))
                if len(taken) == limits.per_keystep:
                    return key
    return int(keys[-1])
