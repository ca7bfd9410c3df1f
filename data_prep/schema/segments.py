"""Annotated segments of videos: records of the stages that read a source."""

from typing import Any

from msgspec import UnsetType

from data_prep.schema.differences import Difference
from data_prep.schema.line import Line, Row
from data_prep.schema.text import ExchangedQuestion


class SegmentRow(Line, frozen=True):
    """An annotated segment as the stages read it.

    video: the video's id; place: the segment's index in the video; file: the video's file, "" if
    missing; narration: None if the captions are invalid.
    """

    video: str
    place: int
    file: str = ""
    narration: str | None = None

    @property
    def key(self) -> str:
        """Identifies the segment."""
        return f"{self.video} {self.place}"


class SegmentFile(Line, frozen=True):
    """Fields added to a segment: the name of its video file, and its narration."""

    file: str
    narration: str | None


class StepDifferences(Line, frozen=True):
    """The result for an annotated step: differences (none if done correctly) and counts."""

    differences: list[Difference] = []
    counts: dict[str, int] = {}


class ItemRow(Line, frozen=True):
    """An input record of the import of LLaVA-style JSON."""

    item: int
    value: Any

    @property
    def key(self) -> str:
        """The item's number, from 1."""
        return str(self.item)


class ItemPair(Line, frozen=True):
    """A line of pairs.jsonl made from an item."""

    id: str | int | UnsetType
    reference: str
    candidate: str
    split: str
    questions: list[ExchangedQuestion]


class ItemConversation(Line, frozen=True):
    """A line of conversations.jsonl made from an item."""

    id: str | int | UnsetType
    clips: list[str]
    split: str
    system: str
    turns: list[ExchangedQuestion]


class ConversationCounts(Line, frozen=True):
    """What the summary counts of a conversation, or of an item that was set aside."""

    turns: list[Row] = []
    clips: list[str] = []

    def counts(self) -> dict[str, int]:
        """Names of the summary's counts."""
        return {"questions": len(self.turns), "clips shown": len(self.clips)}
