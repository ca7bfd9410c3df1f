"""Reads JSON files that hold one object or one list, as datasets are released."""

import json
import math
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten
from stepdiff_jax.surrogates import json_without_surrogates, may_hold_surrogates


def read_object(path: Path) -> dict[str, Any]:
    """Read the file's JSON object; NaN and numbers outside a float's range are kept as strings.

    Raises:
        InputError: the file cannot be read, is not JSON, is not a non-empty object, or an object in
            it has a field twice.
    """
    value = _read(path)
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path}: must hold a non-empty JSON object, got {shorten(value)}")
    return value


def read_list(path: Path) -> list[Any]:
    """Read the file's JSON list; numbers as in `read_object`.

    Raises:
        InputError: the file cannot be read, is not JSON, is not a non-empty list, or an object
            in it has a field twice.
    """
    value = _read(path)
    if not isinstance(value, list) or not value:
        raise InputError(f"{path}: must hold a non-empty JSON list, got {shorten(value)}")
    return value


def _read(path: Path) -> Any:
    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{path}: field {shorten(twice)} appears twice in one object")
        return fields

    try:
        text = path.read_text(encoding="utf-8")
        return parse_json(text, object_pairs_hook=distinct)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 at byte {error.start}") from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {error}") from error


def parse_json(text: str, **options: Any) -> Any:
    """A JSON value with numbers as in `read_object`, and without surrogates.

    Args:
        options: passed to `json.loads`.
    Raises:
        ValueError: the text is not JSON.
        RecursionError: the value is nested too deeply.
    """
    value = json.loads(text, parse_constant=str, parse_float=_number, **options)
    return json_without_surrogates(value) if may_hold_surrogates(text) else value


def _number(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text
