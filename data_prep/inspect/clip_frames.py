"""The frames of a clip for the page: stored by the frames stage, or else decoded from its video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.frames.decode import FRAMES
from data_prep.frames.files import StoredFrames, read_images
from data_prep.schema.pages import ShownClip
from stepdiff_jax.data.video import decode_jpeg, encode_jpeg, sample_frames
from stepdiff_jax.errors import InputError

SHORT_SIDE = 128
"""Pixels; eight frames fit side by side."""


@dataclass(frozen=True)
class Frames:
    """JPEG images with their times in seconds, or the `problem` that prevented them."""

    images: Sequence[bytes] = ()
    times: Sequence[float] = ()
    problem: str = ""


def clip_frames(directory: Path, clip: ShownClip, stored: StoredFrames | None) -> Frames:
    """The frames of a clip of clips.jsonl in `directory`."""
    try:
        if stored is not None:
            images = np.stack([decode_jpeg(image) for image in read_images(stored)])
            return Frames(encode_jpeg(images, SHORT_SIDE), stored.times)
        if clip.video is None or clip.start is None or clip.end is None:
            return Frames(problem=f"clips.jsonl lacks its {clip.unsaid()}")
        sampled = sample_frames(directory / clip.video, clip.start, clip.end, FRAMES)
    except InputError as error:
        return Frames(problem=str(error))
    return Frames(encode_jpeg(sampled.frames, SHORT_SIDE), sampled.times.tolist())
