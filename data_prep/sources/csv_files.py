"""Reads CSV files strictly: a row is complete and has the header's columns, or it says why not.

Python's reader ends a quoted text at the next quote, wherever that is: with one quote missing, all
rows up to there become one text. Here a row may continue in the next line only if that line is not
a row by itself, so that a damaged row takes no other row with it.
"""

import codecs
import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten

NOT_UTF8 = "\ufdd0"
"""Replaces bytes that are not UTF-8; Unicode reserves this code point for internal use."""
IS_NOT_UTF8 = "is not UTF-8"

MOST_LINES = 200
"""Lines that one quoted text may have (ours)."""

_OPEN = "a quote is not closed"

codecs.register_error("mark", lambda error: (NOT_UTF8, error.end))  # type: ignore[attr-defined]


@dataclass(frozen=True)
class CsvRow:
    """A row: its first line's number, its texts by column, and what is wrong with it.

    If something is wrong, `fields` holds the columns before that place.
    """

    path: Path
    line: int
    fields: dict[str, str]
    problem: str = ""

    def error(self, problem: str = "", column: str = "") -> InputError:
        """The error for this row; names file, line and column."""
        named = f" column {column!r}" if column else ""
        return InputError(f"{self.path}, line {self.line}:{named} {problem or self.problem}")


def stream_csv(path: Path, needed: Sequence[str]) -> Iterator[CsvRow]:
    """The rows of a UTF-8 CSV file with a header; a byte order mark and empty lines are skipped.

    Raises:
        InputError: the file cannot be read or is empty, or its header is damaged, has a column
            twice or lacks one of those `needed`.
    """
    try:
        # Lines end as the file's program wrote them: \n, \r\n or \r.
        with path.open(encoding="utf-8-sig", errors="mark", newline="") as file:
            lines = _Lines(file)
            header = _header(path, lines, needed)
            while lines:
                yield _row(path, lines, header)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


class _Lines:
    """Lines with their numbers; those taken can be put back. False if only empty ones remain."""

    def __init__(self, lines: Iterable[str]):
        self._lines = enumerate(lines, start=1)
        self._waiting: deque[tuple[int, str]] = deque()

    def __bool__(self) -> bool:
        while following := self.take():
            if following[1].strip():
                self.put_back([following])
                return True
        return False

    def take(self) -> tuple[int, str] | None:
        return self._waiting.popleft() if self._waiting else next(self._lines, None)

    def put_back(self, lines: Sequence[tuple[int, str]]) -> None:
        self._waiting.extendleft(reversed(lines))


def _header(path: Path, lines: _Lines, needed: Sequence[str]) -> list[str]:
    if not lines:
        raise InputError(f"{path}: is empty")
    number, text, names, problem = _record(lines, 0)
    if NOT_UTF8 in text:
        problem = IS_NOT_UTF8
    if "\0" in text:
        problem = "holds NUL bytes; the file must be UTF-8"
    if problem:
        raise InputError(f"{path}, line {number}: {problem}")
    for name in sorted(needed):
        if name not in names:
            raise InputError(f"{path}: has no column {name!r}; its header is {shorten(names)}")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: has column {name!r} {names.count(name)} times")
    return names


def _row(path: Path, lines: _Lines, header: Sequence[str]) -> CsvRow:
    number, text, values, problem = _record(lines, len(header))
    if not problem and len(values) != len(header):
        problem = f"the header has {len(header)} columns, this row {len(values)}"
        if len(values) < len(header):
            problem += f": {header[len(values)]!r} is missing"
    if not problem and "\0" in text:
        problem = "holds a NUL byte"
    if not problem and NOT_UTF8 in text:
        problem = IS_NOT_UTF8
    return CsvRow(path, number, dict(zip(header, values)), problem)


def _record(lines: _Lines, columns: int) -> tuple[int, str, list[str], str]:
    """The next record's line, text, values and problem; with a problem, the values before it."""
    first = lines.take()
    assert first is not None
    taken = [first]
    while True:
        text = "".join(line for _, line in taken)
        values, problem = _parse(text)
        if problem != _OPEN:
            break
        following = lines.take()
        if following is not None:
            taken.append(following)
        if following is None or _is_row(following[1], columns) or len(taken) > MOST_LINES:
            lines.put_back(taken[1:])
            return *first, _before_quote(first[1]), _OPEN
    if problem and len(taken) > 1:
        # The quote that ended the text belongs to a later row.
        lines.put_back(taken[1:])
        return *first, _before_quote(first[1]), _OPEN
    return first[0], text, values or _before_quote(first[1]), problem


def _parse(text: str) -> tuple[list[str], str]:
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        return [], _OPEN if "unexpected end of data" in str(error) else f"is not CSV: {error}"
    return (rows[0], "") if len(rows) == 1 else ([], "is not one row")


def _is_row(line: str, columns: int) -> bool:
    """Whether a line within a quoted text could be a row by itself."""
    return columns > 1 and line.count(",") >= columns - 1


def _before_quote(line: str) -> list[str]:
    """The columns of a damaged row that stand before its first quote."""
    before, quote, _ = line.partition('"')
    return before.rstrip("\r\n").split(",")[: -1 if quote else None]
