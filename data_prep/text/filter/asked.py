"""Input and output of the filter's rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from data_prep.text.filter.words import content


class Asked(NamedTuple):
    """A question with its answer, the pair's descriptions, and the questions kept before it."""

    question: str
    answer: str
    reference: str
    """Description of the first video."""
    candidate: str
    """Description of the second video."""
    earlier: tuple[tuple[str, str], ...] = ()
    """(question, answer) pairs kept earlier for the same pair of clips."""

    @property
    def exclusive(self) -> tuple[frozenset[str], frozenset[str]]:
        """Content stems that only the first description has, and those only the second has."""
        first, second = content(self.reference), content(self.candidate)
        return first - second, second - first


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the rules; all values are ours."""

    unknown_words: int = 0
    """How many content words of a question and answer may appear in neither description."""
    known_words: tuple[str, ...] = ()
    """Words that need not appear in a description, such as names of categories."""
    duplicate_overlap: float = 0.9
    """Two answers with at least this intersection over union of words are duplicates."""
    question_words: tuple[int, int] = (3, 60)
    answer_words: tuple[int, int] = (3, 120)
    """Minimum and maximum number of words; an answer that starts with yes or no, or names a video,
    may be shorter."""
    topics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Topic -> its words, for `contradicts_description` to check claims like "the same tool"."""


Rule = Callable[[Asked, Thresholds], str]
"""Returns the words that violate the rule, or "" if there are none."""
