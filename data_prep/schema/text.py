"""Records that the text stages read and write: captions, descriptions, pairs, questions, ..."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from data_prep.schema.line import LARGEST, Finite, Line, Row, Wrong

FILTERED_FILE = "filtered.jsonl"
PAIRS_FILE = "pairs.jsonl"


class Captions(Line, frozen=True):
    """A line of captions of a clip from another program."""

    clip: str
    actions: list[str]
    objects: list[str]


class Scores(Line, frozen=True):
    """A line of scores of phrases for a clip from another program."""

    clip: str
    scores: dict[str, Finite]


class DescribedClip(Line, frozen=True):
    """A line of descriptions.jsonl as later stages read it."""

    clip: str
    description: str


class DescriptionCost(Line, frozen=True):
    """Number of language model calls and tokens."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


class Dropped(Line, frozen=True):
    """Phrases dropped because of their score, with their scores."""

    actions: dict[str, float]
    objects: dict[str, float]


class Seen(Line, frozen=True):
    """Actions and objects seen in a clip."""

    actions: list[str]
    objects: list[str]
    dropped: Dropped


class Description(Line, frozen=True):
    """A line of descriptions.jsonl."""

    clip: str
    description: str
    actions: list[str]
    objects: list[str]
    dropped: Dropped
    cost: DescriptionCost


class UnreadableDescription(Line, frozen=True):
    """Fields added to a clip whose description is quarantined."""

    raw: str
    cost: DescriptionCost


class DescriptionCounts(Line, frozen=True):
    """What the summary counts of a description, or of a quarantined clip."""

    actions: list[str] = []
    objects: list[str] = []
    dropped: Dropped = Dropped({}, {})
    cost: DescriptionCost | UnsetType = UNSET

    def counts(self) -> dict[str, int]:
        """Names of the summary's counts."""
        return {
            "actions kept": len(self.actions),
            "objects kept": len(self.objects),
            "actions dropped": len(self.dropped.actions),
            "objects dropped": len(self.dropped.objects),
            **({} if self.cost is UNSET else self.cost.row()),
        }


class KeystepClips(Line, frozen=True):
    """Input record of the pair stage: a keystep's clips with descriptions, or a `BadClip`."""

    split: str
    keystep: str
    clips: list[tuple[str, str]] = []
    line: int | UnsetType = UNSET

    @property
    def key(self) -> str:
        """Identifies the keystep of a split, or the line."""
        return f"{self.split} {self.keystep}" if self.line is UNSET else BadClip(self.line).key


class BadClip(Line, frozen=True):
    """The field added to a line of clips.jsonl that is not paired."""

    line: int

    @property
    def key(self) -> str:
        """Identifies the line."""
        return f"line {self.line}"

    def added_to(self, fields: Mapping[str, Any]) -> Row:
        """The input record of the pair stage, without a list of clips."""
        return {name: value for name, value in fields.items() if name != "clips"} | self.row()


class KeystepPairs(Line, frozen=True):
    """The pairs of a keystep (indices of both clips and their similarity) and counts."""

    pairs: list[tuple[int, int, float]] = []
    counts: dict[str, int] = {}


class PairEnds(Line, frozen=True):
    """The clips of a pair."""

    reference: str
    candidate: str

    @property
    def key(self) -> str:
        """Identifies the pair, in this order."""
        return f"{self.reference} {self.candidate}"

    def clips(self) -> dict[str, str]:
        """Side -> clip."""
        return {"reference": self.reference, "candidate": self.candidate}


class Pair(PairEnds, frozen=True):
    """A line of pairs.jsonl as the pair stage writes it."""

    keystep: str
    split: str
    similarity: float


class Descriptions(Line, frozen=True):
    """Descriptions that the question stage adds to a pair; "" if missing."""

    reference_description: str
    candidate_description: str


class DescribedPair(PairEnds, frozen=True):
    """A pair with its descriptions."""

    reference_description: str
    candidate_description: str

    def undescribed(self) -> str | None:
        """The first clip without a description."""
        if not self.reference_description:
            return self.reference
        return None if self.candidate_description else self.candidate


class Question(Line, frozen=True):
    """A question with its answer."""

    question: str
    answer: str


class WeightedQuestion(Question, frozen=True):
    """A question to pack; `weight` scales its loss."""

    weight: Annotated[float, msgspec.Meta(gt=0, le=LARGEST)] = 1.0


class ExchangedQuestion(Question, frozen=True):
    """A question in an exchange format, which checks its weight."""

    weight: Any = UNSET


class ExportedPair(PairEnds, frozen=True):
    """A pair as an export reads it."""

    split: str
    questions: list[ExchangedQuestion] | None = None
    id: Any = UNSET


class QuestionCost(Line, frozen=True):
    """Number of language model tokens and calls."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0


class Answered(Line, frozen=True):
    """Fields that the question stage adds to a pair: questions, the model's raw text, the cost."""

    questions: list[Question]
    raw: str
    cost: QuestionCost


class Unanswered(Line, frozen=True):
    """The field added to a pair that got no answer."""

    cost: QuestionCost


class UnreadAnswer(Line, frozen=True):
    """Fields added to a pair whose answer cannot be parsed."""

    raw: str
    cost: QuestionCost


class QuestionCounts(Line, frozen=True):
    """What the summary counts of a pair, kept or quarantined."""

    questions: list[Row] = []
    cost: QuestionCost | UnsetType = UNSET

    def counts(self) -> dict[str, int]:
        """Names of the summary's counts."""
        cost = {} if self.cost is UNSET else self.cost.row()
        return {"questions": len(self.questions), **cost}


class AskedPair(DescribedPair, frozen=True):
    """A line of questions.jsonl as the filter reads it; questions keep unknown fields."""

    questions: Annotated[list[Row], msgspec.Meta(min_length=1)]

    def wrong(self) -> Wrong | None:
        return wrong_question(self.questions)


class FilteredPair(Line, frozen=True):
    """The questions that the filter kept, and those that it removed with the rules violated."""

    questions: list[Row] = []
    removed: list[Row] = []

    def first_rules(self) -> list[str]:
        """The rule that each removal is attributed to."""
        return [next(iter(RemovedQuestion.of(item).rules)) for item in self.removed]


class RemovedQuestion(Line, frozen=True):
    """The field added to a removed question: violated rules, each with the offending words."""

    rules: dict[str, str]


def wrong_question(questions: list[Row]) -> Wrong | None:
    """The error for the first item without a question or an answer."""
    for item in questions:
        try:
            Question.of(item)
        except msgspec.ValidationError:
            return Wrong("questions", "must hold objects with question and answer", item)
    return None


def removed_question(item: Row, rules: Mapping[str, str]) -> Row:
    """A question with the rules that it violates."""
    return {**item, **RemovedQuestion(dict(rules)).row()}
