"""Segments of videos as sources annotate them: the records of the stages that read a source."""

from typing import Any

from msgspec import UnsetType

from data_prep.schema.differences import Difference
from data_prep.schema.line import Line
from data_prep.schema.text import ExchangedQuestion


class SegmentRow(Line, frozen=True):
    """What the stages read of an annotated segment.

    video: its id; place: the segment's index in the video; file: of the video, "" if there is none;
    narration: None if the captions are broken.
    """

    video: str
    place: int
    file: str = ""
    narration: str | None = None

    @property
    def key(self) -> str:
        """Names the segment."""
        return f"{self.video} {self.place}"


class SegmentFile(Line, frozen=True):
    """What is added to a segment: the name of its video file, and what is said in it."""

    file: str
    narration: str | None


class StepDifferences(Line, frozen=True):
    """What an annotated step gives: no differences if it was done right; and what is counted."""

    differences: list[Difference] = []
    counts: dict[str, int] = {}


class ItemRow(Line, frozen=True):
    """A record of an import of LLaVA's JSON."""

    item: int
    value: Any

    @property
    def key(self) -> str:
        """The item's number, from 1."""
        return str(self.item)


class ItemPair(Line, frozen=True):
    """A line of pairs.jsonl out of an item."""

    id: str | int | UnsetType
    reference: str
    candidate: str
    split: str
    questions: list[ExchangedQuestion]
