"""differences.jsonl: annotated pairs, from which the benchmark files are made."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from data_prep.schema.line import Line, Row

LARGEST_SCORE = 5
"""The score of nearly identical clips; 0 means nothing in common (section 4.3)."""


class Difference(Line, frozen=True):
    """One annotated category of one pair.

    captions: empty if the pair does not differ in the category.
    score: 5 for nearly identical; missing if the source does not rate pairs, which then cannot be
        ranked.
    """

    reference: str
    candidate: str
    keystep: str | int
    category: str
    captions: list[str]
    score: int | UnsetType = UNSET

    def clips(self) -> dict[str, str]:
        """Side -> clip."""
        return {"reference": self.reference, "candidate": self.candidate}


_WRONG = {
    "reference": "is no text",
    "candidate": "is no text",
    "keystep": "is neither a text nor an integer",
    "category": "is no text",
    "captions": "is no list of texts",
    "score": "is no integer",
}


def wrong_field(row: Row) -> tuple[str, Any] | None:
    """The first field of a wrong type, as a quarantine reason, and its value."""
    for name, problem in _WRONG.items():
        kind = Difference.__annotations__[name]
        value = row.get(name)
        if name not in row and name == "score":
            continue
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return f"{name} {problem}", value
        if problem == "is no text" and not str(value).strip():
            return f"{name} {problem}", value
    return None


class LineNumber(Line, frozen=True):
    """The field added to a quarantined annotation."""

    line: int
