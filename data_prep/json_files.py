"""JSON files of sources: errors that name the video, and checks of times."""

import math
from pathlib import Path
from typing import NoReturn

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten


def fail(path: Path, video: str, field: str, problem: str, value: object) -> NoReturn:
    """Raise an `InputError` that names file, video, field, problem and value."""
    raise InputError(f"{path}, video {video!r}: field {field!r} {problem}, got {shorten(value)}")


def is_time(value: object) -> bool:
    """Whether a JSON value is a finite number, as a time in seconds must be."""
    try:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond a float's range
        return False
