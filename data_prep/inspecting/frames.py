"""The frames of a clip for a page: small JPEGs, decoded from its video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.clip_frames import FRAMES
from data_prep.text_stage import Row
from stepdiff_jax.data.video import encode_jpeg, sample_frames
from stepdiff_jax.errors import InputError

SHORT_SIDE = 128
"""Pixels; eight of them stand side by side."""


@dataclass(frozen=True)
class Frames:
    """JPEG images with their times in seconds, or the `problem` why there are none."""

    images: Sequence[bytes] = ()
    times: Sequence[float] = ()
    problem: str = ""


def clip_frames(directory: Path, clip: Row) -> Frames:
    """The frames of a line of clips.jsonl that lies in `directory`."""
    try:
        video = directory / str(clip["video"])
        sampled = sample_frames(video, clip["start"], clip["end"], FRAMES)
    except KeyError as error:
        return Frames(problem=f"clips.jsonl does not say its {error}")
    except InputError as error:
        return Frames(problem=str(error))
    return Frames(encode_jpeg(sampled.frames, SHORT_SIDE), sampled.times.tolist())
