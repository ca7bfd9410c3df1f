"""Questions as benchmarks publish them: lists of JSON objects, whose errors name the question."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from stepdiff_jax.errors import InputError
from stepdiff_jax.json_files import read_list
from stepdiff_jax.jsonl import JsonLine, shorten


@dataclass(frozen=True)
class JsonItem(JsonLine):
    """One object of a list, `number` from 1; accessors as those of a line."""

    def fail(self, field: str, problem: str, value: object) -> NoReturn:
        """Raises the `InputError` for this item: file, question, field, problem and value."""
        name = self.fields.get("id", self.number)
        raise InputError(
            f"{self.path}, question {name}: field {field!r} {problem}, got {shorten(value)}"
        )

    def text(self, field: str) -> str:
        """A string with more than white space in it, without that around it."""
        value = self.string(field).strip()
        if not value:
            self.fail(field, "must not be empty", value)
        return value

    def span(self, field: str, start: Any, end: Any) -> str:
        """`start-end` of a clip id, from seconds that the field holds."""
        times = []
        for value in (start, end):
            try:
                times.append(round(float(value), MILLISECONDS))
            except (TypeError, ValueError):
                self.fail(field, "must hold seconds", value)
        if not 0 <= times[0] < times[1] < float("inf"):
            self.fail(field, "must be a span that ends after it starts", [start, end])
        first, last = (f"{time:.{MILLISECONDS}f}".rstrip("0").rstrip(".") for time in times)
        return f"{first}-{last}"


MILLISECONDS = 3
"""Decimal places of seconds in clip ids (ours)."""


def read_items(path: Path) -> list[JsonItem]:
    """The objects of a JSON list.

    Raises:
        InputError: the file cannot be read, or is not a non-empty list of objects.
    """
    items = []
    for number, fields in enumerate(read_list(path), start=1):
        if not isinstance(fields, dict):
            raise InputError(f"{path}, item {number}: must be a JSON object, got {shorten(fields)}")
        items.append(JsonItem(path, number, fields))
    return items
