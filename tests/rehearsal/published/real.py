"""Videos and captions for real annotations and real benchmark files, which are made up.

A made-up video has a frame at its beginning and frames within its annotated clips only, so that
thousands of long videos are written in minutes.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from stepdiff_jax.evaluation.benchmark_files import parse_clip_id, read_diffrank
from tests.rehearsal.published.videos import FORMATS, write_video

HEIGHT, WIDTH = 72, 96
FRAMES_PER_CLIP = 12

Spans = dict[str, list[tuple[float, float]]]


def annotated_spans(annotations: Path) -> tuple[Spans, dict[str, float]]:
    """Segments and duration of every video of HT-Step's annotations.json, in seconds."""
    stored = json.loads(annotations.read_text())
    spans = {
        video: [tuple(one["segment"]) for one in row["annotations"]]
        for video, row in stored.items()
    }
    return spans, {video: row["duration"] for video, row in stored.items()}


def benchmark_spans(file: Path) -> Spans:
    """The clips that a DiffRank file asks about, by video."""
    spans: Spans = defaultdict(list)
    for line in read_diffrank(file):
        for clip in (line.reference, *line.targets):
            video, start, end = parse_clip_id(clip)
            if (start, end) not in spans[video]:
                spans[video].append((start, end))
    return dict(spans)


def merged(first: Spans, second: Spans) -> Spans:
    """The spans of both."""
    both: Spans = defaultdict(list)
    for spans in (first, second):
        for video, parts in spans.items():
            both[video] += parts
    return dict(both)


def write_made_up_videos(directory: Path, spans: Spans, durations: dict[str, float]) -> int:
    """Write every video of `spans` as an mp4 file; returns their number."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, (video, parts) in enumerate(spans.items()):
        end = max([end for _, end in parts] + [durations.get(video, 0.0), 1.0])
        write_video(directory / f"{video}.mp4", _frames(number, parts, end), FORMATS[2], end)
    return len(spans)


def made_up_captions(spans: Spans) -> dict[str, dict[str, list]]:
    """A sentence for every annotated segment."""
    said = "now we {} it {} with a {} and then we taste it"
    words = (
        ("stir", "cut", "mix", "pour"),
        ("slowly", "again", "well"),
        ("spoon", "knife", "fork"),
    )
    captions = {}
    for video, parts in spans.items():
        ordered = sorted(parts)
        texts = [
            said.format(
                *(choice[(round(start) + k) % len(choice)] for k, choice in enumerate(words))
            )
            for start, _ in ordered
        ]
        captions[video] = {
            "text": texts,
            "start": [start for start, _ in ordered],
            "end": [end for _, end in ordered],
        }
    return captions


def _frames(
    number: int, parts: Iterable[tuple[float, float]], end: float
) -> Iterator[tuple[float, np.ndarray]]:
    rng = np.random.default_rng(number)
    times = {0, round(end * 1000)}
    for start, stop in parts:
        times |= {
            round(time * 1000) for time in np.linspace(start, min(stop, end), FRAMES_PER_CLIP)
        }
    for time in sorted(times):
        coarse = rng.integers(0, 255, (HEIGHT // 12, WIDTH // 12, 3), np.uint8)
        yield time / 1000, coarse.repeat(12, axis=0).repeat(12, axis=1)
