"""The clips stage: a source's segments and HowTo100M's narration -> clips.jsonl."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from msgspec import UNSET

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.schema.clips import CLIPS_FILE, Clip, ClipCounts
from data_prep.schema.line import Row
from data_prep.schema.segments import SegmentFile, SegmentRow
from data_prep.sources.base import Annotated, Segment, Source, file_problem
from data_prep.sources.howto100m import narration, stream_captions
from data_prep.sources.limits import ClipLimits, unwanted
from data_prep.stage import Rejected, Shard, run_stage
from stepdiff_jax.data.video import MISSING
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten


@dataclass(frozen=True)
class Segments:
    """All annotations of a source as rows, with segments and reasons for rejection by key."""

    rows: list[Row]
    found: dict[str, Segment]
    problems: dict[str, Rejected]


def write_clips(
    source: Source,
    captions: Path | None,
    videos: Path | None,
    destination: Path,
    limits: ClipLimits | None = None,
    *,
    exclude: EvaluationClips | None = None,
    shard: Shard | None = None,
) -> dict[str, Any]:
    """Write `destination`/clips.jsonl; returns (and writes) the summary of `run_stage`.

    Args:
        captions: see `stream_captions`. Videos not in it keep the source's own narration.
        videos: directory of the video files; clips.jsonl has their paths relative to
            `destination`. None: files are not looked up, and the first possible name is used.
        exclude: the benchmark. By "pair", the pair stage excludes its pairs.
    Raises:
        InputError: see `stream_captions`; also if the directory of videos does not exist.
    """
    limits, exclude = limits or ClipLimits(), exclude or EvaluationClips()
    segments = wanted_segments(source, captions, videos, destination, limits, exclude)

    def work(batch: Sequence[SegmentRow]) -> Iterator[Clip | Rejected]:
        for row in batch:
            yield segments.problems.get(row.key) or _clip(row, segments.found[row.key])

    _report_missing(segments)
    return run_stage(
        segments.rows,
        SegmentRow,
        work,
        destination / CLIPS_FILE,
        shard=shard or Shard(),
        settings=clip_settings(source, limits, exclude),
        counts=lambda row: ClipCounts.of(row).counts(),
    )


def _report_missing(segments: Segments) -> None:
    """Say how many videos have no file; the quarantine file names them."""
    videos = {segment.video for segment in segments.found.values()}
    missing = {
        segments.found[key].video
        for key, problem in segments.problems.items()
        if problem.kind == MISSING and key in segments.found
    }
    if missing:
        print(
            f"clips: {len(missing)} of {len(videos)} videos have no file, such as "
            f"{shorten(min(missing))}; clips.quarantine.jsonl names them",
            file=sys.stderr,
        )


def clip_settings(source: Source, limits: ClipLimits, exclude: EvaluationClips) -> Row:
    """Settings that the choice of a source's segments depends on."""
    return {
        **asdict(limits),
        **source.settings,
        "evaluation pairs": len(exclude.pairs),
        "evaluation digest": exclude.digest,
        "by": exclude.by,
    }


def wanted_segments(
    source: Source,
    captions: Path | None,
    videos: Path | None,
    destination: Path,
    limits: ClipLimits,
    exclude: EvaluationClips,
) -> Segments:
    """All of a source's segments, including rejected ones; arguments as in `write_clips`."""
    annotations = {SegmentRow.of(one.row).key: one for one in source.annotations()}
    found = {key: one.found for key, one in annotations.items() if isinstance(one.found, Segment)}
    problems = {
        key: one.found for key, one in annotations.items() if isinstance(one.found, Rejected)
    }
    problems |= unwanted(found, limits, exclude)
    files = _files(annotations, problems, videos, destination)
    spoken = _narrations(found, problems, captions, limits.margin)
    rows = [
        {**one.row, **SegmentFile(files[key], spoken.get(key, "")).row()}
        for key, one in annotations.items()
    ]
    return Segments(rows, found, problems)


def _clip(row: SegmentRow, segment: Segment) -> Clip:
    return Clip(
        clip=segment.clip_id,
        video=row.file,
        start=float(segment.start),
        end=float(segment.end),
        keystep=segment.keystep,
        activity=segment.activity,
        narration=row.narration or "",
        split=segment.split,
        match=segment.match or UNSET,
    )


def _files(
    annotations: Mapping[str, Annotated],
    problems: dict[str, Rejected],
    videos: Path | None,
    destination: Path,
) -> dict[str, str]:
    """Key -> the video's file; "" if it is missing, which then rejects the segment."""
    if videos is None:
        return {key: one.files[0] for key, one in annotations.items()}
    if not videos.is_dir():
        raise InputError(f"{videos}: no such directory of video files")
    present: dict[tuple[str, ...], str | Rejected] = {}
    files = {}
    for key, one in annotations.items():
        if one.files not in present:
            present[one.files] = _file(one.files, videos, destination)
        found = present[one.files]
        files[key] = "" if isinstance(found, Rejected) else found
        if isinstance(found, Rejected):
            problems.setdefault(key, found)
    if present and all(isinstance(found, Rejected) for found in present.values()):
        first = next(iter(present))[0]
        raise InputError(
            f"{videos / first}: no such video file, nor any other of {len(present)}; is their disk "
            "mounted?"
        )
    return files


def _file(names: Sequence[str], videos: Path, destination: Path) -> str | Rejected:
    """The first of these that exists, relative to `destination`, or why there is none."""
    missing = Rejected(MISSING, names[0])
    for name in names:
        problem = file_problem(videos / name)
        if problem is None:
            return os.path.relpath(videos / name, destination)
        if problem.kind != MISSING:
            return problem
    return missing


def _narrations(
    segments: Mapping[str, Segment],
    problems: dict[str, Rejected],
    captions: Path | None,
    margin: float,
) -> dict[str, str | None]:
    """Key -> narration; None if the captions are invalid, which then rejects the segment."""
    heard: dict[str, str | None] = {}
    wanted: dict[str, list[tuple[str, Segment]]] = {}
    for key, segment in segments.items():
        if key not in problems:
            heard[key] = segment.narration
            wanted.setdefault(segment.video, []).append((key, segment))
    for video, sentences in stream_captions(captions, wanted) if captions else ():
        for key, segment in wanted[video]:
            if isinstance(sentences, Rejected):
                heard[key] = None
                problems[key] = sentences
            else:
                heard[key] = narration(sentences, segment.start, segment.end, margin)
    return heard
