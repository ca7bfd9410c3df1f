"""The clips of a benchmark's files as a source: their ids hold video and times.

So the authors' evaluation clips become a dataset without the annotations that they were chosen
from: StepDiff's release has clip ids and captions only.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from data_prep.benchmark.held_out import stream_pairs
from data_prep.schema.segments import SegmentRow
from data_prep.sources.base import Annotated, Segment
from stepdiff_jax.data.video_names import video_files
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import TASKS, ClipId, parse_clip_id

SPLIT = "benchmark"


class Benchmark:
    """Each clip of DiffCap, DiffMCQ and DiffRank files once, in their order; a `Source`.

    The files do not name keysteps or activities, so these are empty.
    """

    settings = {"split": SPLIT}  # noqa: RUF012

    def __init__(self, path: Path):
        """
        Args:
            path: a benchmark file, or a directory with at least one `<task>_dataset.jsonl`.
        Raises:
            InputError: there is no such file, or a line is not valid.
        """
        files = [path / f"{task}_dataset.jsonl" for task in TASKS] if path.is_dir() else [path]
        self.files = [file for file in files if file.exists()] if path.is_dir() else files
        if not self.files:
            names = ", ".join(file.name for file in files)
            raise InputError(f"{path}: has none of {names}")
        self._clips = {
            clip: parse_clip_id(clip)
            for file in self.files
            for pair in stream_pairs(file)
            for clip in pair
        }

    def annotations(self) -> Iterator[Annotated]:
        """One segment per clip."""
        places: Counter[str] = Counter()
        for clip, known in self._clips.items():
            row = {**SegmentRow(known.video, places[known.video]).row(), "clip": clip}
            places[known.video] += 1
            yield Annotated(row, video_files(known.video), _segment(clip, known))


def _segment(clip: str, known: ClipId) -> Segment:
    return Segment(
        video=known.video,
        start=known.start,
        end=known.end,
        keystep="",
        step=clip,  # so that overlapping clips are not near-duplicates: all are asked about
        activity="",
        split=SPLIT,
        clip=clip,
    )
