"""What the benchmark asks about, so that it can be left out of training (section 3.2: by pair)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stepdiff_jax.evaluation.benchmark_files import parse_clip_id
from stepdiff_jax.jsonl import JsonLine, read_jsonl

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
    """From DiffCap, DiffMCQ and DiffRank files, told apart by their fields.

    Raises InputError where a file cannot be read, or a line is of none of the three.
    """
    pairs = frozenset(
        frozenset(pair) for path in paths for line in read_jsonl(path) for pair in _pairs(line)
    )
    return EvaluationClips(pairs, by)


def _pairs(line: JsonLine) -> list[tuple[str, str]]:
    if "options" in line.fields:
        options = line.items("options")
        for option in options:
            if not (isinstance(option, list) and len(option) == 2):
                line.fail("options", "must hold pairs of clips", option)
        return [(str(first), str(second)) for first, second in options]
    reference = line.string("reference")
    if "targets" in line.fields:
        return [(reference, target) for target in line.strings("targets")]
    return [(reference, line.string("candidate"))]
