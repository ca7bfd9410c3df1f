"""What a page shows of clips, descriptions and pairs, as far as a stage has left it."""

from typing import Any

from msgspec import UNSET

from data_prep.schema.line import Line
from data_prep.schema.text import Dropped, PairEnds


class ShownClip(Line, frozen=True):
    """What a page shows of a clip, as far as the line has it."""

    clip: str = ""
    video: str | None = None
    start: int | float | None = None
    end: int | float | None = None
    keystep: str | None = None
    activity: str | None = None
    narration: str | None = None

    def unsaid(self) -> str:
        """The first field of the span that is missing, in quotes."""
        span = {"video": self.video, "start": self.start, "end": self.end}
        return repr(next(name for name, value in span.items() if value is None))


class ShownPair(PairEnds, frozen=True):
    """What a page shows of a pair, as far as it came."""

    keystep: str | None = None
    split: str | None = None
    similarity: Any = UNSET
    reference_description: str | None = None
    candidate_description: str | None = None
    questions: list["ShownQuestion"] | None = None
    removed: list["ShownQuestion"] | None = None
    raw: str | None = None

    def description(self, clip: str) -> str | None:
        """The description of one of its clips that stands in the line."""
        own = self.reference_description, self.candidate_description
        return own[0] if clip == self.reference else own[1]


class ShownQuestion(Line, frozen=True):
    """What a page shows of a question; `rules` if the filter removed it."""

    question: str = ""
    answer: str = ""
    rules: dict[str, str] | list[str] | None = None

    def objections(self) -> list[tuple[str, str]]:
        """Rules and their words."""
        rules = self.rules or {}
        return list(rules.items()) if isinstance(rules, dict) else [(rule, "") for rule in rules]


class ShownDescription(Line, frozen=True):
    """What a page shows of a description."""

    clip: str = ""
    description: str | None = None
    actions: list[str] | None = None
    objects: list[str] | None = None
    dropped: Dropped | None = None
