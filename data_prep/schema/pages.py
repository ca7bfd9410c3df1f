"""Clips, descriptions and pairs as the inspect page shows them; most fields are optional."""

from typing import Any

from msgspec import UNSET

from data_prep.schema.line import Line
from data_prep.schema.text import Dropped, PairEnds


class ShownClip(Line, frozen=True):
    """A clip as a page shows it."""

    clip: str = ""
    video: str | None = None
    start: int | float | None = None
    end: int | float | None = None
    keystep: str | None = None
    activity: str | None = None
    narration: str | None = None

    def unsaid(self) -> str:
        """The first missing field of the span, in quotes."""
        span = {"video": self.video, "start": self.start, "end": self.end}
        return repr(next(name for name, value in span.items() if value is None))


class ShownPair(PairEnds, frozen=True):
    """A pair as a page shows it, from whichever stage it reached."""

    keystep: str | None = None
    split: str | None = None
    similarity: Any = UNSET
    reference_description: str | None = None
    candidate_description: str | None = None
    questions: list["ShownQuestion"] | None = None
    removed: list["ShownQuestion"] | None = None
    raw: str | None = None

    def description(self, clip: str) -> str | None:
        """The line's description of one of the pair's clips."""
        own = self.reference_description, self.candidate_description
        return own[0] if clip == self.reference else own[1]


class ShownQuestion(Line, frozen=True):
    """A question as a page shows it; it has `rules` if the filter removed it."""

    question: str = ""
    answer: str = ""
    rules: dict[str, str] | list[str] | None = None

    def objections(self) -> list[tuple[str, str]]:
        """The violated rules, each with the offending words."""
        rules = self.rules or {}
        return list(rules.items()) if isinstance(rules, dict) else [(rule, "") for rule in rules]


class ShownDescription(Line, frozen=True):
    """A description as a page shows it."""

    clip: str = ""
    description: str | None = None
    actions: list[str] | None = None
    objects: list[str] | None = None
    dropped: Dropped | None = None
