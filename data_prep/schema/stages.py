"""What every stage leaves beside its lines: the summary, and the reason on a quarantine line."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from data_prep.schema.line import Line, Row


class Origin(Line, frozen=True):
    """What a stage's output is made of: its settings, and a digest of its input."""

    settings: dict[str, Any] = {}
    input: Any = None


class Summary(Line, frozen=True):
    """Records in, lines out, drops by reason, and what else is counted.

    A stage that writes several files has an object by file in place of a number.
    """

    entered: Any = msgspec.field(name="in")
    left: Any = msgspec.field(name="out")
    dropped: dict[str, Any]
    counts: dict[str, Any] | UnsetType = UNSET
    decoders: list[str] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    input: Any = UNSET

    def printed(self) -> Row:
        """What a command says of it."""
        return Summary(self.entered, self.left, self.dropped, self.counts).row()


class RecordCounts(Line, frozen=True):
    """The counts of a stage of records."""

    entered: int = msgspec.field(name="in")
    left: int = msgspec.field(name="out")
    dropped: dict[str, int] = {}
    counts: dict[str, int] = {}


class Reason(Line, frozen=True):
    """The end of a quarantine line: `reason` is counted, `detail` is for people."""

    reason: str
    detail: str = ""


def reasons(quarantined: Iterable[Row]) -> dict[str, int]:
    """How often each reason was given, by name."""
    return dict(sorted(Counter(Reason.of(row).reason for row in quarantined).items()))
