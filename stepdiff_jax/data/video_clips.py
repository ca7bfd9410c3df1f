"""Clips straight from video files, by the ids that benchmarks give them."""

import hashlib
import stat
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stepdiff_jax.data.clip_ids import parse_clip_id
from stepdiff_jax.data.find_clips import require_clips
from stepdiff_jax.data.video import UNKNOWN_DURATION, VideoError, decoder_version, probe
from stepdiff_jax.data.video_names import video_files
from stepdiff_jax.data.video_span import VideoSpan, parse_video
from stepdiff_jax.errors import InputError
from stepdiff_jax.outside import is_outside

RESOLUTIONS = ("", "_360p")
"""What a video's file may have after its id; CaptainCook4D's are smaller copies."""


class VideoClips:
    """Clips of a directory of video files, decoded when they are asked for; thread-safe.

    A clip is a file in the directory (`PATH`, whose ending may be left out), a part of one in
    seconds (`PATH@start-end`), or, as in the benchmark, `<video>_<start>_<end>` for `<video>` with
    any ending of a video file. Frames are sampled as by `prep frames`, and are not stored as JPEG
    images in between.

    Its methods raise InputError, at the first use of any of them, if a clip's file is missing or
    does not have it; later, if a file turns out to be damaged.
    """

    def __init__(self, directory: Path | str, clips: Collection[str], frames: int):
        """
        Args:
            frames: how many of each clip.
        """
        self.directory, self.count = Path(directory), frames
        self.ids = tuple(dict.fromkeys(clips))
        self._facts: dict[str, dict[str, Any]] = {}

    @cached_property
    def spans(self) -> dict[str, VideoSpan]:
        """Clip id -> its part of a video file; the headers of all files have been read."""
        if not self.directory.is_dir():
            raise InputError(f"{self.directory}: no such directory of videos")
        files: dict[Path, Path | None] = {}
        found = {clip: self._find(clip, files) for clip in self.ids}
        spans = {clip: span for clip, span in found.items() if span is not None}
        require_clips(self.ids, spans, str(self.directory))
        _require_playable(spans)
        return spans

    def frames(self, clip: str) -> np.ndarray:
        """uint8 [frames, H, W, 3] in the video's own size, evenly spaced over the clip."""
        sampled = self.spans[clip].sample(self.count)
        self._facts[clip] = {
            "times": sampled.times.tolist(),
            "frames": hashlib.sha256(sampled.frames.tobytes()).hexdigest(),
            "decoder": decoder_version(),
        }
        return sampled.frames

    def facts(self, clip: str) -> dict[str, Any]:
        """The frames' times (seconds), the SHA-256 of their pixels, and the decoder."""
        if clip not in self._facts:
            self.frames(clip)
        return self._facts[clip]

    def _find(self, clip: str, files: dict[Path, Path | None]) -> VideoSpan | None:
        named = parse_video(str(self.directory / clip))
        if _is_file(named.path):
            return named
        for span in (*self._of_benchmark(clip), named):
            if span.path not in files:
                files[span.path] = _with_ending(span.path)
            path = files[span.path]
            if path is not None:
                return replace(span, path=path)
        return None

    def _of_benchmark(self, clip: str) -> list[VideoSpan]:
        """What an id means if it is one of the benchmark's; the file's ending is missing."""
        try:
            video, start, end = parse_clip_id(clip)
        except InputError:
            return []
        return [VideoSpan(self.directory / video, start, end)]


def _with_ending(path: Path) -> Path | None:
    """The file whose name is the path's and any ending of a video file."""
    names = (name for suffix in RESOLUTIONS for name in video_files(f"{path}{suffix}"))
    return next(filter(_is_file, map(Path, names)), None)


def _require_playable(spans: dict[str, VideoSpan]) -> None:
    """Raise InputError if a file is not a video, or ends before a clip does."""
    durations = {path: _duration(path) for path in {span.path: None for span in spans.values()}}
    for span in spans.values():
        # Headers may be wrong; then the frames at both ends of the span decide.
        if max(span.start or 0, span.end or 0) >= durations[span.path]:
            span.sample(2)


def _duration(path: Path) -> float:
    try:
        return probe(path).duration
    except VideoError as error:
        if error.kind == UNKNOWN_DURATION:  # as of a still picture
            return 0.0
        raise


def _is_file(path: Path) -> bool:
    """Whether there is such a file; raises OSError if the disk fails."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError) as error:
        if is_outside(error):
            raise
        return False
