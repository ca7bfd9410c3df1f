"""Ids of the benchmark's clips, `<video>_<start>_<end>`, as the authors released them."""

import re
from typing import NamedTuple

import numpy as np

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten

_SECONDS = r"([0-9]+(?:\.[0-9]+)?)"
_CLIP_ID = re.compile(rf"(.+)_{_SECONDS}_{_SECONDS}", re.DOTALL)


class ClipId(NamedTuple):
    """A clip: the video's id, and the clip's start and end in seconds."""

    video: str
    start: float
    end: float


def parse_clip_id(clip: str) -> ClipId:
    """Splits `<video>_<start>_<end>` from the right, since video ids contain `_` themselves.

    Raises:
      InputError: the id has another form, or the clip does not end after it starts.
    """
    match = _CLIP_ID.fullmatch(clip)
    if match is None:
        raise InputError(f"clip id must be <video>_<start>_<end>, got {shorten(clip)}")
    parsed = ClipId(match[1], float(match[2]), float(match[3]))
    if not parsed.start < parsed.end < float("inf"):
        raise InputError(f"clip id must end after it starts, got {shorten(clip)}")
    return parsed


def format_clip_id(clip: ClipId) -> str:
    """The inverse of `parse_clip_id`: shortest decimals, whole seconds without a decimal point."""
    start, end = (np.format_float_positional(value, trim="-") for value in (clip.start, clip.end))
    return f"{clip.video}_{start}_{end}"
