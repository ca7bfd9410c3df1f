"""Videos as a user names them: `path` or `path@start-end`, in seconds."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.data.video import SampledFrames, sample_frames
from stepdiff_jax.errors import InputError

_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_SPAN = re.compile(rf"({_NUMBER})-({_NUMBER})")


@dataclass(frozen=True)
class VideoSpan:
    """A video file, or a part of it in seconds; None means the file's own start or end."""

    path: Path
    start: float | None = None
    end: float | None = None

    def sample(self, frames: int) -> SampledFrames:
        """Its frames, evenly spaced; raises as `sample_frames` does."""
        return sample_frames(self.path, self.start, self.end, frames)


def parse_video(text: str) -> VideoSpan:
    """Parse `path` or `path@start-end`, in seconds from the start of the file's time line.

    A file whose own name ends like a span is that file: `a@20-90` names `a` only if there is no
    file `a@20-90`.

    Raises:
        InputError: the path before the last @ is a file, and what follows is not a span.
    """
    path, at, span = text.rpartition("@")
    # os.path: a name that is too long for a file does not exist.
    if not at or os.path.exists(text):  # noqa: PTH110
        return VideoSpan(Path(text))
    found = _SPAN.fullmatch(span)
    start, end = map(float, found.groups()) if found else (math.nan, math.nan)
    if start < end < math.inf:
        return VideoSpan(Path(path), start, end)
    if found or (os.sep not in span and os.path.exists(path)):  # noqa: PTH110
        raise InputError(f"video {text!r}: {span!r} is not a span in seconds: write path@start-end")
    # The @ is part of a path to nothing, such as `me@example.org/a.mp4`.
    return VideoSpan(Path(text))


def check_videos(videos: Sequence[str]) -> None:
    """Decode a frame of each video at both ends of its span, before anything slow.

    Raises:
        InputError: see `parse_video` and `sample_frames`.
    """
    for video in dict.fromkeys(videos):
        parse_video(video).sample(2)
