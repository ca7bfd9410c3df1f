"""The frames of a clip for a page: those that the frames stage stored, or else its video's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.frames.decode import FRAMES
from data_prep.frames.files import StoredFrames, read_images
from data_prep.stage import Row
from stepdiff_jax.data.video import decode_jpeg, encode_jpeg, sample_frames
from stepdiff_jax.errors import InputError

SHORT_SIDE = 128
"""Pixels; eight of them stand side by side."""


@dataclass(frozen=True)
class Frames:
    """JPEG images with their times in seconds, or the `problem` why there are none."""

    images: Sequence[bytes] = ()
    times: Sequence[float] = ()
    problem: str = ""


def clip_frames(directory: Path, clip: Row, stored: StoredFrames | None) -> Frames:
    """The frames of a line of clips.jsonl that lies in `directory`."""
    try:
        if stored is not None:
            images = np.stack([decode_jpeg(image) for image in read_images(stored)])
            return Frames(encode_jpeg(images, SHORT_SIDE), stored.times)
        video = directory / str(clip["video"])
        sampled = sample_frames(video, clip["start"], clip["end"], FRAMES)
    except KeyError as error:
        return Frames(problem=f"clips.jsonl does not say its {error}")
    except InputError as error:
        return Frames(problem=str(error))
    return Frames(encode_jpeg(sampled.frames, SHORT_SIDE), sampled.times.tolist())
