"""JSON files that hold one object, as HT-Step and HowTo100M release them."""

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten


def read_object(path: Path) -> dict[str, Any]:
    """The file's JSON object.

    Raises:
        InputError: the file cannot be read, is not JSON, or holds no object or an empty one.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {error}") from error
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path}: must hold a non-empty JSON object, got {shorten(value)}")
    return value


def fail(path: Path, video: str, field: str, problem: str, value: object) -> NoReturn:
    """Raises the `InputError` for one field of a video: file, video, field, problem and value."""
    raise InputError(f"{path}, video {video!r}: field {field!r} {problem}, got {shorten(value)}")


def member(path: Path, video: str, fields: Any, name: str, kind: type) -> Any:
    """`fields[name]`, which must be there and of type `kind`; InputError otherwise."""
    if not isinstance(fields, dict) or name not in fields:
        fail(path, video, name, "is missing", fields)
    if not isinstance(fields[name], kind):
        fail(path, video, name, f"must be of type {kind.__name__}", fields[name])
    return fields[name]


def is_time(value: object) -> bool:
    """Whether a JSON value is a finite number (of seconds)."""
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
