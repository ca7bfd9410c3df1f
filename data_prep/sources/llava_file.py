"""The items of a file of LLaVA-style JSON: a JSON list, or one item per line."""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from data_prep.sources.json_stream import WellFormedJson
from stepdiff_jax.errors import InputError
from stepdiff_jax.json_files import parse_json
from stepdiff_jax.jsonl import shorten


@dataclass(frozen=True)
class Unreadable:
    """Why an item, or a line, is not JSON that can be read."""

    reason: str


def writable(value: Any) -> Any:
    """The value, or `Unreadable` if it is nested too deeply to be written again."""
    if isinstance(value, Unreadable):
        return value
    try:
        json.dumps(value, allow_nan=False)
    except (RecursionError, ValueError) as error:
        return Unreadable(str(error))
    return value


def stream_items(path: Path) -> Iterator[Any]:
    """The items one at a time; `Unreadable` for a line after the first that is not JSON.

    Raises:
        InputError: the file cannot be read, or is neither a JSON list nor JSON Lines.
    """
    try:
        with path.open("rb") as file:
            first = _first_byte(file)
            if first == b"[":
                yield from ijson.items(WellFormedJson(file), "item", use_float=True)
            elif first == b"{":
                yield from _lines(path, file)
            else:
                raise InputError(f"{path}: must hold a JSON list, or a JSON object per line")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON: {' '.join(str(error).split())}") from error


def _lines(path: Path, file: BinaryIO) -> Iterator[Any]:
    lines = (line for line in file if line.strip())
    first = next(lines)
    try:
        parse_json(first.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: must hold a JSON list, or a JSON object per line; its first line is not JSON "
            f"({error})"
        ) from error
    for line in chain([first], lines):
        try:
            yield parse_json(line.decode())
        except (ValueError, RecursionError) as error:
            yield Unreadable(f"{error}: {shorten(line)}")


def _first_byte(file: BinaryIO) -> bytes:
    """The first byte that is neither white space nor a byte order mark; rewinds the file to it."""
    mark = codecs.BOM_UTF8
    file.seek(len(mark) if file.read(len(mark)) == mark else 0)
    byte = file.read(1)
    while byte.isspace():
        byte = file.read(1)
    file.seek(-len(byte), 1)
    return byte
