"""What the benchmark asks about, so that it can be left out of training (section 3.2: by pair)."""

from collections.abc import Iterable, Iterator
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
    """The pairs of benchmark files, and what they keep out of training.

    by: "pair" (the paper) keeps out these pairs, either way round; "clip" every pair with one of
        their clips; "video" every pair with a clip of one of their videos.
    """

    pairs: frozenset[frozenset[str]] = frozenset()
    by: By = "pair"
    clips: frozenset[str] = field(init=False)
    videos: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        clips = frozenset(clip for pair in self.pairs for clip in pair)
        object.__setattr__(self, "clips", clips)
        object.__setattr__(self, "videos", frozenset(parse_clip_id(clip).video for clip in clips))

    def __contains__(self, pair: tuple[str, str]) -> bool:
        if self.by == "pair":
            return frozenset(pair) in self.pairs
        if self.by == "clip":
            return not self.clips.isdisjoint(pair)
        return any(parse_clip_id(clip).video in self.videos for clip in pair)


def read_evaluation_clips(paths: Iterable[Path], by: By = "pair") -> EvaluationClips:
    """From DiffCap, DiffMCQ and DiffRank files, told apart by their first line's fields.

    Raises InputError as their readers do.
    """
    pairs = frozenset(frozenset(pair) for path in paths for pair in _pairs(path))
    return EvaluationClips(pairs, by)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    fields = read_jsonl(path)[0].fields
    if "options" in fields:
        yield from (pair for one in read_diffmcq(path) for pair in one.options)
    elif "targets" in fields:
        for one in read_diffrank(path):
            yield from ((one.reference, target) for target in one.targets)
    else:
        yield from ((one.reference, one.candidate) for one in read_diffcap(path))
