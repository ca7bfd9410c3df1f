"""Renders a kitchen video and writes it as H.264."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from data_prep.kitchen.render import SIZE, render_counter, render_frames
from data_prep.kitchen.world import Scene
from stepdiff_jax.files import replacing

FRAMES_PER_SECOND = 4
HALF_FRAME = 0.5 / FRAMES_PER_SECOND


@dataclass(frozen=True)
class Segment:
    """A keystep in a video, from `start` to `end` seconds."""

    scene: Scene
    start: float
    end: float


@dataclass(frozen=True)
class VideoPlan:
    """The content of a video; `seed` decides what `segments` leave open."""

    video: str
    duration: float
    segments: tuple[Segment, ...]
    seed: tuple[int, ...]


def render_video(plan: VideoPlan) -> np.ndarray:
    """The video's frames, uint8 [N, 64, 64, 3]: a title card, then keysteps and empty counters."""
    times = np.arange(round(plan.duration * FRAMES_PER_SECOND)) / FRAMES_PER_SECOND
    empty = replace(plan.segments[0].scene, keystep=0)
    frames = render_counter(empty, np.random.default_rng((*plan.seed, 0)), times)
    title = times < plan.segments[0].start - 0.5
    card = np.random.default_rng((*plan.seed, 1)).integers(40, 200, 3)
    frames[title] = card.astype(np.uint8)
    for number, segment in enumerate(plan.segments, start=2):
        # Half a frame wider than annotated, so that the frames nearest to both ends are included.
        inside = (times >= segment.start - HALF_FRAME) & (times <= segment.end + HALF_FRAME)
        phases = (times[inside] - segment.start) / (segment.end - segment.start)
        rng = np.random.default_rng((*plan.seed, number))
        frames[inside] = render_frames(segment.scene, rng, np.clip(phases, 0, 1))
    return frames


def write_h264(path: Path, frames: Iterable[np.ndarray], rate: int = FRAMES_PER_SECOND) -> None:
    """Write uint8 frames [SIZE, SIZE, 3] as an MP4 file, atomically.

    Encodes in one thread, so that the bytes are the same on any machine with the same libx264.
    """
    with (
        replacing(path, writer="kitchen") as unfinished,
        av.open(unfinished, "w", format="mp4") as container,
    ):
        options = {"crf": "16", "preset": "veryfast", "threads": "1", "g": "20"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def make_video(plan: VideoPlan, directory: Path) -> None:
    """Write `directory`/<video>.mp4 unless it exists."""
    path = directory / f"{plan.video}.mp4"
    if not path.exists():
        write_h264(path, render_video(plan))
