"""JSON Lines with errors that name the file, the line, the field and the value.

Strict on reading: one JSON object per line, no blank lines, no NaN; the accessors of `JsonLine`
check each field. Halves of characters in texts become U+FFFD (`surrogates`).
"""

import dataclasses
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from stepdiff_jax.errors import InputError
from stepdiff_jax.files import replacing
from stepdiff_jax.surrogates import json_without_surrogates, may_hold_surrogates

_LONGEST_VALUE = 80
_LOOK_AHEAD = 1 << 16


def shorten(value: object) -> str:
    """`repr` on one line, truncated to fit an error message."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


@dataclasses.dataclass(frozen=True)
class JsonLine:
    """One object of a JSON Lines file; accessors raise `InputError` if the field is invalid."""

    path: Path
    number: int
    fields: Mapping[str, Any]

    def fail(self, field: str, problem: str, value: object) -> NoReturn:
        """Raises the `InputError` for this line: file, line, field, problem and value."""
        raise InputError(
            f"{self.path}, line {self.number}: field {field!r} {problem}, got {shorten(value)}"
        )

    def get(self, field: str) -> Any:
        """The field's value, whatever its type."""
        if field not in self.fields:
            self.fail(field, "is missing", sorted(self.fields))
        return self.fields[field]

    def string(self, field: str) -> str:
        """A string, possibly empty."""
        value = self.get(field)
        if not isinstance(value, str):
            self.fail(field, "must be a string", value)
        return value

    def items(self, field: str, length: int | None = None) -> list[Any]:
        """A list of `length` items, or any non-empty list."""
        value = self.get(field)
        wanted = "a non-empty list" if length is None else f"a list of {length}"
        if not isinstance(value, list) or (len(value) != length if length else not value):
            self.fail(field, f"must be {wanted}", value)
        return value

    def strings(self, field: str, length: int | None = None) -> tuple[str, ...]:
        """A list of strings, as a tuple."""
        value = self.items(field, length)
        if not all(isinstance(item, str) for item in value):
            self.fail(field, "must hold strings only", value)
        return tuple(value)

    def integers(self, field: str, length: int | None = None) -> tuple[int, ...]:
        """A list of integers, as a tuple."""
        value = self.items(field, length)
        if not all(type(item) is int for item in value):  # a bool is an int to isinstance
            self.fail(field, "must hold integers only", value)
        return tuple(value)

    def finite_numbers(self, field: str, length: int | None = None) -> tuple[float, ...]:
        """A list of finite numbers, as a tuple of floats."""
        value = self.items(field, length)
        if not all(type(item) in (int, float) for item in value):
            self.fail(field, "must hold numbers only", value)
        try:
            numbers = tuple(float(item) for item in value)
        except OverflowError:
            numbers = (math.inf,)
        if not all(map(math.isfinite, numbers)):
            self.fail(field, "must hold finite numbers only", value)
        return numbers


def read_jsonl(path: str | os.PathLike[str]) -> list[JsonLine]:
    """All lines of a UTF-8 JSON Lines file.

    Raises:
      InputError: the file cannot be read, is empty, or a line is not one JSON object.
    """
    return list(stream_jsonl(path))


def stream_jsonl(path: str | os.PathLike[str]) -> Iterator[JsonLine]:
    """The lines of a UTF-8 JSON Lines file, one at a time; raises as `read_jsonl` does."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            if not file.read(_LOOK_AHEAD).strip() and not file.read().strip():
                raise InputError(f"{path}: is empty")
            file.seek(0)
            yield from parse_lines(path, file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def parse_lines(path: Path, rows: Iterable[bytes]) -> Iterator[JsonLine]:
    """The parsed lines of a file's first `rows`; raises as `read_jsonl` does.

    They are bytes: JSON strings may hold U+2028 and others that text mode treats as line ends.
    """
    offset = 0
    for number, row in enumerate(rows, start=1):
        yield _parse(path, number, _decoded(path, row, offset))
        offset += len(row)


def whole_lines(path: Path) -> list[JsonLine]:
    """The lines of a file that is appended to, none if it is missing.

    A last line that was not finished, as by a kill, is removed from the file.

    Raises:
        InputError: a line is not a JSON object.
    """
    if not path.exists():
        return []
    with path.open("rb+") as file:
        rows = file.readlines()
        whole = [row for row in rows if row.endswith(b"\n")]
        if len(whole) < len(rows):
            file.truncate(sum(map(len, whole)))
    return list(parse_lines(path, whole))


def _decoded(path: Path, row: bytes, offset: int) -> str:
    try:
        return row.removesuffix(b"\n").decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 at byte {offset + error.start}") from error


def _parse(path: Path, number: int, row: str) -> JsonLine:
    try:
        value = json.loads(row)
        if may_hold_surrogates(row):
            value = json_without_surrogates(value)
        infinite = _infinite_fields(value) if _MAY_BE_INFINITE.search(row) else []
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(
            f"{path}, line {number}: is not JSON ({reason}), got {shorten(row)}"
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"{path}, line {number}: must be a JSON object, got {shorten(row)}")
    line = JsonLine(path, number, value)
    for field in infinite:
        line.fail(field, "must hold finite numbers only", value[field])
    return line


_MAY_BE_INFINITE = re.compile(r"NaN|Infinity|[eE]\+?[0-9]{3}|[0-9]{309}")


def _infinite_fields(value: Any) -> list[str]:
    """Fields with a number that is not finite as a float, so that it could not be written again."""
    fields = value.items() if isinstance(value, dict) else ()
    return [name for name, item in fields if not _is_finite(item)]


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_is_finite, value.values() if isinstance(value, dict) else value))
    try:
        return not isinstance(value, int | float) or math.isfinite(value)
    except OverflowError:
        return False


def write_jsonl(path: str | os.PathLike[str], rows: Iterable[Any]) -> None:
    """Writes dataclass instances or mappings atomically, one per line.

    Raises:
      ValueError: a row holds NaN or infinity, which JSON cannot represent.
    """
    with replacing(Path(path)) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for row in rows:
            fields = row if isinstance(row, Mapping) else dataclasses.asdict(row)
            file.write(json.dumps(fields, allow_nan=False) + "\n")
