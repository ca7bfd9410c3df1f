"""The differences stage: steps done correctly and with errors -> differences.jsonl.

For sources that annotate errors in steps. The pairs have no scores, as nothing rates how different
the two clips are.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.schema.differences import Difference
from data_prep.schema.segments import SegmentRow, StepDifferences
from data_prep.sources.base import Segment, Source
from data_prep.sources.clips import Segments, clip_settings, wanted_segments
from data_prep.sources.limits import ClipLimits
from data_prep.stage import Rejected, Shard, run_stage
from stepdiff_jax.errors import InputError


def write_differences(
    source: Source,
    destination: Path,
    limits: ClipLimits | None = None,
    *,
    videos: Path | None = None,
    splits: Sequence[str] = (),
    seed: int = 0,
    shard: Shard | None = None,
) -> dict[str, Any]:
    """Write `destination`; returns (and writes) the summary of `run_stage`.

    The input records are the source's annotations. Each step with errors is the candidate of one
    pair; its reference is drawn by `seed` from correct executions of the same step of the same
    activity and split, in another video. A pair gives one line per category of its errors, with
    their texts as captions. Correct steps, and those used as references, are counted.

    Args:
        limits, videos: as in `write_clips`, so that it also has both clips of a pair.
        splits: the splits to make pairs from; all if empty.
    Raises:
        InputError: the source does not judge steps, or lacks one of the splits.
    """
    limits, exclude = limits or ClipLimits(), EvaluationClips()
    segments = wanted_segments(source, None, videos, destination.parent, limits, exclude)
    _check(segments, splits)
    references = choose_references(segments, splits, seed)
    used = {reference.clip_id for reference in references.values()}

    def work(batch: Sequence[SegmentRow]) -> Iterator[StepDifferences | Rejected]:
        for row in batch:
            yield segments.problems.get(row.key) or _differences(row.key)

    def _differences(key: str) -> StepDifferences | Rejected:
        segment = segments.found[key]
        if splits and segment.split not in splits:
            return Rejected("other split", segment.split)
        if not segment.errors:
            counts = {"steps done right": 1, "of these, references": int(segment.clip_id in used)}
            return StepDifferences([], counts)
        if not _captions(segment):
            tags = dict.fromkeys(error.tag for error in segment.errors)
            return Rejected("error of no category", ", ".join(tags))
        if key not in references:
            return Rejected("no step done right to compare with", segment.keystep)
        return _compared(references[key], segment)

    return run_stage(
        segments.rows,
        SegmentRow,
        work,
        destination,
        shard=shard or Shard(),
        settings={
            **clip_settings(source, limits, exclude),
            "splits": list(splits),
            "seed": seed,
        },
        counts=lambda row: StepDifferences.of(row).counts,
        lines=lambda row, result: (one.row() for one in StepDifferences.of(result).differences),
        result_of=None,
    )


def choose_references(segments: Segments, splits: Sequence[str], seed: int) -> dict[str, Segment]:
    """Key of a step with an error in some category -> a correct execution of that step.

    The choice for a step does not depend on errors in other steps.
    """
    kept = {
        key: segment
        for key, segment in segments.found.items()
        if key not in segments.problems and (not splits or segment.split in splits)
    }
    correct: defaultdict[tuple[Any, ...], list[Segment]] = defaultdict(list)
    for segment in kept.values():
        if not segment.errors:
            correct[segment.split, segment.activity, segment.step].append(segment)
    references = {}
    for key, segment in kept.items():
        partners = [
            other
            for other in correct[segment.split, segment.activity, segment.step]
            if other.video != segment.video
        ]
        if partners and _captions(segment):
            digest = hashlib.sha256(f"{seed} {segment.clip_id}".encode()).digest()
            partners.sort(key=lambda other: other.clip_id)
            references[key] = partners[int.from_bytes(digest[:8], "big") % len(partners)]
    return references


def _captions(segment: Segment) -> Mapping[str, list[str]]:
    """Category -> captions of its errors."""
    captions: defaultdict[str, list[str]] = defaultdict(list)
    for error in segment.errors or ():
        known = captions[error.category] if error.category and error.caption else None
        if known is not None and error.caption not in known:
            known.append(error.caption)
    return captions


def _compared(reference: Segment, candidate: Segment) -> StepDifferences:
    lines = [
        Difference(
            reference=reference.clip_id,
            candidate=candidate.clip_id,
            keystep=candidate.keystep,
            category=category,
            captions=captions,
        )
        for category, captions in _captions(candidate).items()
    ]
    tags = Counter(error.tag for error in candidate.errors or () if error.category is None)
    counts = {f"errors left out: {tag}": number for tag, number in tags.items()}
    return StepDifferences(lines, {"pairs": 1, **counts})


def _check(segments: Segments, splits: Sequence[str]) -> None:
    if all(segment.errors is None for segment in segments.found.values()):
        raise InputError("this source does not annotate errors in steps")
    known = sorted({segment.split for segment in segments.found.values()})
    for split in splits:
        if split not in known:
            raise InputError(f"--splits {split}: must be one of {', '.join(known)}")
