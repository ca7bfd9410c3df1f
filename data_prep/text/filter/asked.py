"""What a rule of the filter is given, and what it gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from data_prep.text.filter.words import content


class Asked(NamedTuple):
    """A question with its answer, the descriptions of the pair, and what was kept before it."""

    question: str
    answer: str
    reference: str
    """Description of the first video."""
    candidate: str
    """Description of the second video."""
    earlier: tuple[tuple[str, str], ...] = ()
    """(question, answer) of the same pair."""

    @property
    def exclusive(self) -> tuple[frozenset[str], frozenset[str]]:
        """Content stems of the first description only, and of the second only."""
        first, second = content(self.reference), content(self.candidate)
        return first - second, second - first


@dataclass(frozen=True)
class Thresholds:
    """What the rules measure against; all of it ours."""

    unknown_words: int = 0
    """So many content words of question and answer may stand in neither description."""
    known_words: tuple[str, ...] = ()
    """Words that need not stand in a description, such as names of categories."""
    duplicate_overlap: float = 0.9
    """Two answers are duplicates from this share of common words on (intersection over union)."""
    question_words: tuple[int, int] = (3, 60)
    answer_words: tuple[int, int] = (3, 120)
    """Least and most words; an answer that starts with yes or no, or only names a video, may be
    shorter."""
    topics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Topic -> its words: lets `contradicts_description` check "the same tool" against them."""


Rule = Callable[[Asked, Thresholds], str]
"""The words that speak against a question and its answer, or "" if none do."""
