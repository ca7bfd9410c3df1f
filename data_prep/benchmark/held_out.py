"""Benchmark pairs and clips that are held out of training (section 3.2: by pair)."""

import hashlib
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stepdiff_jax.evaluation.benchmark_files import (
    parse_clip_id,
    read_diffcap,
    read_diffmcq,
    read_diffrank,
)
from stepdiff_jax.jsonl import read_jsonl

By = Literal["pair", "clip", "video"]


@dataclass(frozen=True)
class EvaluationClips:
    """The pairs of the benchmark files, and which training pairs they exclude.

    by: "pair" (the paper) excludes these pairs in either order; "clip" every pair with one of
        their clips; "video" every pair with a clip from one of their videos.
    """

    pairs: frozenset[frozenset[str]] = frozenset()
    by: By = "pair"
    clips: frozenset[str] = field(init=False)
    videos: frozenset[str] = field(init=False)
    _partners: dict[str, set[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        partners: dict[str, set[str]] = {}
        for pair in self.pairs:
            for clip in pair:
                partners.setdefault(clip, set()).update(pair - {clip})
        videos = frozenset(parse_clip_id(clip).video for clip in partners)
        object.__setattr__(self, "clips", frozenset(partners))
        object.__setattr__(self, "videos", videos)
        object.__setattr__(self, "_partners", partners)

    def __contains__(self, pair: tuple[str, str]) -> bool:
        one, other = pair
        return other in self.partners(one) or self.keeps_out(one) or self.keeps_out(other)

    def keeps_out(self, clip: str) -> bool:
        """Whether every pair with this clip is excluded."""
        if self.by == "video":
            return parse_clip_id(clip).video in self.videos
        return self.by == "clip" and clip in self.clips

    def partners(self, clip: str) -> Set[str]:
        """The clips that this one must not be paired with."""
        return self._partners.get(clip, frozenset())

    @property
    def digest(self) -> str:
        """Digest of these pairs, 16 hex digits."""
        text = "\n".join(sorted(" ".join(sorted(pair)) for pair in self.pairs))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_evaluation_clips(paths: Iterable[Path], by: By = "pair") -> EvaluationClips:
    """Read DiffCap, DiffMCQ and DiffRank files, recognized by the fields of the first line.

    Raises InputError if a file is not valid.
    """
    pairs = frozenset(frozenset(pair) for path in paths for pair in stream_pairs(path))
    return EvaluationClips(pairs, by)


def stream_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """The pairs of clips in a benchmark file, reference first.

    Raises InputError if the file is not valid.
    """
    fields = read_jsonl(path)[0].fields
    if "options" in fields:
        yield from (pair for one in read_diffmcq(path) for pair in one.options)
    elif "targets" in fields:
        for one in read_diffrank(path):
            yield from ((one.reference, target) for target in one.targets)
    else:
        yield from ((one.reference, one.candidate) for one in read_diffcap(path))
