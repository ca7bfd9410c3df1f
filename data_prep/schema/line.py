"""The base class of records, and checks of lines whose errors name the field."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, Self, TypeVar

import msgspec

from stepdiff_jax.jsonl import JsonLine, stream_jsonl

Row = dict[str, Any]
"""A line as a JSON object."""

LARGEST = 1.7976931348623157e308
"""The largest finite number."""

Finite = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""A number that is neither NaN nor infinite; integers become floats."""


class Wrong(NamedTuple):
    """What is wrong with a field beyond its type."""

    field: str
    problem: str
    value: object


class Line(msgspec.Struct, frozen=True):
    """A record, with fields in file order. UNSET fields are not written."""

    def row(self) -> Row:
        """The record as a JSON object."""
        return msgspec.to_builtins(self)

    @classmethod
    def of(cls, row: Row) -> Self:
        """The record of a row that was already checked, or that another stage made."""
        return msgspec.convert(row, cls)

    def wrong(self) -> Wrong | None:
        """What is wrong beyond the types of the fields."""
        return None


LineT = TypeVar("LineT", bound=Line)
StructT = TypeVar("StructT", bound=msgspec.Struct)

Fail = Callable[[str, str, object], NoReturn]
"""Raises an `InputError` for a field, its problem and its value."""


def check(line: JsonLine, kind: type[LineT]) -> LineT:
    """The record of a line.

    Raises:
        InputError: a field is missing or invalid; names file, line, field and value.
    """
    record = check_fields(line.fields, kind, line.fail)
    wrong = record.wrong()
    if wrong:
        line.fail(*wrong)
    return record


def check_fields(fields: Mapping[str, Any], kind: type[StructT], fail: Fail) -> StructT:
    """The record of a JSON object; `fail` raises the error for a field."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        _fail(fields, str(error), fail)


def stream_lines(path: Path, kind: type[LineT]) -> Iterator[tuple[JsonLine, LineT]]:
    """Each line of a JSON Lines file with its record.

    Raises:
        InputError: the file cannot be read or is empty, or a line is invalid.
    """
    for line in stream_jsonl(path):
        yield line, check(line, kind)


def stream_distinct(
    path: Path, kind: type[LineT], repeated: str = "appears twice"
) -> Iterator[tuple[JsonLine, LineT]]:
    """`stream_lines` of a file in which each clip appears only once.

    Args:
        repeated: error message for a repeated clip; `{line}` is its first line.
    Raises:
        InputError: as `stream_lines`, or if a clip is repeated.
    """
    seen: dict[str, int] = {}
    for line, record in stream_lines(path, kind):
        clip = line.string("clip")
        if clip in seen:
            line.fail("clip", repeated.format(line=seen[clip]), clip)
        seen[clip] = line.number
        yield line, record


_ERROR = re.compile(r"(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_LENGTH = re.compile(r"Expected `array` of length (\d+)")

_ALONE = {"str": "a string", "int": "an integer", "float": "a finite number", "array": "a list",
          "object": "an object"}  # fmt: skip
_WITHIN = {"str": "strings", "int": "integers", "float": "numbers"}


def _fail(fields: Mapping[str, Any], message: str, fail: Fail) -> NoReturn:
    """Raise the one-line error for msgspec's `PROBLEM - at `$.field[0].field``."""
    match = _ERROR.fullmatch(message)
    assert match
    problem = match["problem"]
    field, within = "", ""
    whole: Any = fields
    value: Any = fields
    for step in _STEP.finditer(match["path"] or ""):
        if step["name"]:
            field, within = step["name"], ""
            whole = value = value[field]
        elif step["index"]:
            value, within = value[int(step["index"])], "list"
        else:
            within = "object"
    missing = _MISSING.match(problem)
    if missing:
        fail(missing[1], "is missing", sorted(value))
    kind = re.search(r"`(\w+)", problem)
    expected = kind[1] if kind else "float"  # "Number out of range"
    if within == "object":
        fail(field, f"must be an object of {_WITHIN.get(expected, expected)}", whole)
    if within == "list" and expected in _WITHIN:
        finite = "finite " if ">=" in problem or "<=" in problem or not kind else ""
        fail(field, f"must hold {finite}{_WITHIN[expected]} only", whole)
    if within == "list":
        fail(field, "must hold objects", value)
    if "> 0" in problem:
        fail(field, "must be positive", float(value))
    length = _LENGTH.match(problem)
    if length:
        fail(field, f"must be a list of {length[1]}", value)
    if "length >= 1" in problem:
        fail(field, "must be a non-empty list", value)
    fail(field, f"must be {_ALONE.get(expected, expected)}", value)
