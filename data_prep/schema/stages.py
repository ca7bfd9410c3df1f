"""Records that every stage writes beside its output: the summary and quarantine reasons."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from data_prep.schema.line import Line, Row


class Origin(Line, frozen=True):
    """What a stage's output depends on: its settings and a digest of its input."""

    settings: dict[str, Any] = {}
    input: Any = None


class Summary(Line, frozen=True):
    """Records read, lines written, drops by reason, and other counts.

    A stage that writes several files has an object of numbers by file instead of a number.
    """

    entered: Any = msgspec.field(name="in")
    left: Any = msgspec.field(name="out")
    dropped: dict[str, Any]
    counts: dict[str, Any] | UnsetType = UNSET
    decoders: list[str] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    input: Any = UNSET

    def printed(self) -> Row:
        """The part that a command prints."""
        return Summary(self.entered, self.left, self.dropped, self.counts).row()


class RecordCounts(Line, frozen=True):
    """The counts of a stage that writes one file of records."""

    entered: int = msgspec.field(name="in")
    left: int = msgspec.field(name="out")
    dropped: dict[str, int] = {}
    counts: dict[str, int] = {}


class Reason(Line, frozen=True):
    """The last fields of a quarantine line: `reason` is counted, `detail` is for humans."""

    reason: str
    detail: str = ""


def reasons(quarantined: Iterable[Row]) -> dict[str, int]:
    """How often each reason occurs, sorted by name."""
    return dict(sorted(Counter(Reason.of(row).reason for row in quarantined).items()))
