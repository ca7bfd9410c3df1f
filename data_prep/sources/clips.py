"""The clips stage: HT-Step's segments and HowTo100M's narration -> clips.jsonl."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.schema import CLIPS_FILE
from data_prep.sources.howto100m import narration, stream_captions
from data_prep.sources.htstep import MATCHES, PAST_THE_END, HtStep, read_htstep, segment_problem
from data_prep.stage import Rejected, Row, Shard, run_stage
from stepdiff_jax.data.video import MISSING
from stepdiff_jax.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv")


@dataclass(frozen=True)
class Limits:
    """Which segments become clips.

    shortest, longest: seconds; those of the authors' evaluation clips (4 to 30 s).
    duplicate_overlap: segments of one video and keystep that share this much of their union are
        one clip (ours).
    margin: narration counts from so many seconds before a clip to as many after it (ours).
    """

    shortest: float = 4.0
    longest: float = 30.0
    duplicate_overlap: float = 0.8
    margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.shortest < self.longest:
            raise InputError(f"--shortest {self.shortest}: must be below --longest {self.longest}")
        if not 0 < self.duplicate_overlap <= 1:
            raise InputError(f"--duplicate-overlap {self.duplicate_overlap}: not above 0 up to 1")
        if self.margin < 0:
            raise InputError(f"--margin must not be negative, got {self.margin}")


def write_clips(
    htstep: Path,
    captions: Path | None,
    videos: Path | None,
    destination: Path,
    limits: Limits | None = None,
    *,
    exclude: EvaluationClips | None = None,
    shard: Shard | None = None,
) -> dict[str, Any]:
    """Write `destination`/clips.jsonl; returns (and writes) the summary of `run_stage`.

    Args:
        htstep: directory of HT-Step's three files.
        captions: see `stream_captions`. A video that it lacks has an empty narration.
        videos: directory of `<video>.mp4`, `.webm` or `.mkv`; named in clips.jsonl by paths
            relative to `destination`. None: no file is looked for, `<video>.mp4` is named.
        exclude: the benchmark. By "pair" it is the pair stage that leaves its pairs out.
    Raises:
        InputError: see `read_htstep` and `stream_captions`.
    """
    limits, exclude = limits or Limits(), exclude or EvaluationClips()
    annotated = read_htstep(htstep)
    rows = [dict(row) for row in annotated.segments]
    problems = _problems(rows, annotated, limits, exclude)
    _add_videos(rows, problems, videos, destination)
    _add_narration(rows, problems, captions, limits.margin)

    def work(batch: Sequence[Row]) -> Iterator[Row | Rejected]:
        for row in batch:
            yield problems.get(_key(row)) or _clip(row, annotated)

    return run_stage(
        rows,
        _key,
        work,
        destination / CLIPS_FILE,
        shard=shard or Shard(),
        settings={
            **asdict(limits),
            "past the end": PAST_THE_END,
            "evaluation pairs": len(exclude.pairs),
            "evaluation digest": exclude.digest,
            "by": exclude.by,
        },
        counts=lambda row: (
            {}
            if "reason" in row
            else {f"{row['match']} match": 1, "with narration": int(bool(row["narration"]))}
        ),
    )


def clip_id(row: Row) -> str:
    """`<video>_<start>_<end>` of a segment, with the numbers as the annotations have them."""
    start, end = row["segment"]
    return f"{row['video']}_{start}_{end}"


def _key(row: Row) -> str:
    return f"{row['video']} {row['place']}"


def _clip(row: Row, htstep: HtStep) -> Row:
    start, end = map(float, row["segment"])
    return {
        "clip": clip_id(row),
        "video": row["file"],
        "start": start,
        "end": end,
        "keystep": htstep.keysteps[row["id"]],
        "activity": row["activity"],
        "narration": row["narration"],
        "split": htstep.splits[row["video"]],
        "match": MATCHES[row["partial"]],
    }


def _problems(
    rows: Sequence[Row], htstep: HtStep, limits: Limits, exclude: EvaluationClips
) -> dict[str, Rejected]:
    """Key of a segment -> why it is no clip, as far as the annotations tell."""
    problems: dict[str, Rejected] = {}
    for row in rows:
        found = segment_problem(row, htstep) or _unwanted(row, limits, exclude)
        if found:
            problems[_key(row)] = found
    kept: dict[str, list[Row]] = {}
    good = [row for row in rows if _key(row) not in problems]
    # The best of several is kept: a full match, then the longest, then the earliest.
    for row in sorted(good, key=lambda row: (row["partial"], -_length(row), row["segment"])):
        others = kept.setdefault(row["video"], [])
        same = [other for other in others if _is_same(row, other, limits.duplicate_overlap)]
        if same:
            problems[_key(row)] = Rejected("near-duplicate segment", f"of {clip_id(same[0])}")
        else:
            others.append(row)
    return problems


def _unwanted(row: Row, limits: Limits, exclude: EvaluationClips) -> Rejected | None:
    length = round(_length(row), 3)
    if length < limits.shortest:
        return Rejected("segment is too short", f"{length} s")
    if length > limits.longest:
        return Rejected("segment is too long", f"{length} s")
    if exclude.by == "clip" and clip_id(row) in exclude.clips:
        return Rejected("evaluation clip", clip_id(row))
    if exclude.by == "video" and row["video"] in exclude.videos:
        return Rejected("evaluation video", row["video"])
    return None


def _length(row: Row) -> float:
    return row["segment"][1] - row["segment"][0]


def _is_same(row: Row, other: Row, overlap: float) -> bool:
    if clip_id(row) == clip_id(other):
        return True  # whatever its keystep: an id can name one clip only
    (start, end), (other_start, other_end) = row["segment"], other["segment"]
    shared = min(end, other_end) - max(start, other_start)
    union = max(end, other_end) - min(start, other_start)
    return row["id"] == other["id"] and shared >= overlap * union


def _add_videos(
    rows: Sequence[Row], problems: dict[str, Rejected], videos: Path | None, destination: Path
) -> None:
    """Names each row's file; a row whose video has none gets an empty name, and the problem."""
    if videos is not None and not videos.is_dir():
        raise InputError(f"{videos}: no such directory of video files")
    present = {path.name for path in videos.iterdir()} if videos else set()
    for row in rows:
        names = [row["video"] + suffix for suffix in VIDEO_SUFFIXES]
        if videos is None:
            row["file"] = names[0]
            continue
        found = [name for name in names if name in present]
        row["file"] = os.path.relpath(videos / found[0], destination) if found else ""
        if not found:
            problems.setdefault(_key(row), Rejected(MISSING, names[0]))


def _add_narration(
    rows: Iterable[Row], problems: dict[str, Rejected], captions: Path | None, margin: float
) -> None:
    """Says what is heard in each row; None, and the problem, where the captions are broken."""
    wanted: dict[str, list[Row]] = {}
    for row in rows:
        row["narration"] = ""
        if problems.get(_key(row)) is None:
            wanted.setdefault(row["video"], []).append(row)
    for video, sentences in stream_captions(captions, wanted) if captions else ():
        for row in wanted[video]:
            if isinstance(sentences, Rejected):
                row["narration"] = None
                problems[_key(row)] = sentences
            else:
                start, end = row["segment"]
                row["narration"] = narration(sentences, start, end, margin)
