"""Selects annotated segments by length, without near-duplicates and the benchmark's clips."""

from collections.abc import Mapping
from dataclasses import dataclass

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.sources.base import Segment
from data_prep.stage import Rejected
from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class ClipLimits:
    """Limits on the segments that become clips.

    shortest, longest: length in seconds, by default that of the authors' evaluation clips.
    duplicate_overlap: segments of one video and keystep with at least this intersection over
        union count as one clip (ours).
    margin: include narration from this many seconds before a clip until as many after it (ours).
    """

    shortest: float = 4.0
    longest: float = 30.0
    duplicate_overlap: float = 0.8
    margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.shortest < self.longest:
            raise InputError(f"--shortest {self.shortest}: must be below --longest {self.longest}")
        if not 0 < self.duplicate_overlap <= 1:
            raise InputError(
                f"--duplicate-overlap {self.duplicate_overlap}: must be above 0 and at most 1"
            )
        if self.margin < 0:
            raise InputError(f"--margin must not be negative, got {self.margin}")


def unwanted(
    segments: Mapping[str, Segment], limits: ClipLimits, exclude: EvaluationClips
) -> dict[str, Rejected]:
    """Key of each rejected segment -> the reason."""
    problems: dict[str, Rejected] = {}
    for key, segment in segments.items():
        problem = _problem(segment, limits, exclude)
        if problem:
            problems[key] = problem
    kept: dict[str, list[Segment]] = {}
    good = [(key, segment) for key, segment in segments.items() if key not in problems]
    # Keeps the best of several: a full match, then the longest, then the earliest.
    for key, segment in sorted(good, key=lambda item: _rank(item[1])):
        others = kept.setdefault(segment.video, [])
        same = [other for other in others if _is_same(segment, other, limits.duplicate_overlap)]
        if same:
            problems[key] = Rejected("near-duplicate segment", f"of {same[0].clip_id}")
        else:
            others.append(segment)
    return problems


def _rank(segment: Segment) -> tuple[str, float, float, float]:
    return segment.match, -segment.length, segment.start, segment.end


def _problem(segment: Segment, limits: ClipLimits, exclude: EvaluationClips) -> Rejected | None:
    length = round(segment.length, 3)
    if length < limits.shortest:
        return Rejected("segment is too short", f"{length} s")
    if length > limits.longest:
        return Rejected("segment is too long", f"{length} s")
    if exclude.by == "clip" and segment.clip_id in exclude.clips:
        return Rejected("evaluation clip", segment.clip_id)
    if exclude.by == "video" and segment.video in exclude.videos:
        return Rejected("evaluation video", segment.video)
    return None


def _is_same(one: Segment, other: Segment, overlap: float) -> bool:
    if one.clip_id == other.clip_id:
        return True  # whatever the keystep: an id can only name one clip
    shared = min(one.end, other.end) - max(one.start, other.start)
    union = max(one.end, other.end) - min(one.start, other.start)
    return one.step == other.step and shared >= overlap * union
