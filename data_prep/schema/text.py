"""What the text stages read and write: captions, scores, descriptions, pairs, questions."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from data_prep.schema.line import LARGEST, Finite, Line, Row, Wrong

FILTERED_FILE = "filtered.jsonl"
PAIRS_FILE = "pairs.jsonl"


class Captions(Line, frozen=True):
    """A line of another program's captions of a clip."""

    clip: str
    actions: list[str]
    objects: list[str]


class Scores(Line, frozen=True):
    """A line of another program's scores of phrases for a clip."""

    clip: str
    scores: dict[str, Finite]


class DescribedClip(Line, frozen=True):
    """What later stages read of descriptions.jsonl."""

    clip: str
    description: str


class DescriptionCost(Line, frozen=True):
    """Calls of the language model and its tokens."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


class Dropped(Line, frozen=True):
    """Phrases that a score kept out, with their scores."""

    actions: dict[str, float]
    objects: dict[str, float]


class Seen(Line, frozen=True):
    """What is seen in a clip."""

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
    """What is added to a clip whose description is set aside."""

    raw: str
    cost: DescriptionCost


class DescriptionCounts(Line, frozen=True):
    """What is counted of a description, or of a clip that was set aside."""

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
    """A record of the pair stage: a keystep's clips with their descriptions, or a `BadClip`."""

    split: str
    keystep: str
    clips: list[tuple[str, str]] = []
    line: int | UnsetType = UNSET

    @property
    def key(self) -> str:
        """Names the keystep of a split, or the line."""
        return f"{self.split} {self.keystep}" if self.line is UNSET else BadClip(self.line).key


class BadClip(Line, frozen=True):
    """What is added to a line of clips.jsonl that is not paired."""

    line: int

    @property
    def key(self) -> str:
        """Names the line."""
        return f"line {self.line}"

    def added_to(self, fields: Mapping[str, Any]) -> Row:
        """The record of the pair stage, which has no list of clips."""
        return {name: value for name, value in fields.items() if name != "clips"} | self.row()


class KeystepPairs(Line, frozen=True):
    """The pairs of a keystep: indices of both clips and their similarity; and what is counted."""

    pairs: list[tuple[int, int, float]] = []
    counts: dict[str, int] = {}


class PairEnds(Line, frozen=True):
    """The clips of a pair."""

    reference: str
    candidate: str

    @property
    def key(self) -> str:
        """Names the pair, this way round."""
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
    """What the question stage adds to a pair: both descriptions, "" where there is none."""

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
    """A question as it is packed; `weight` multiplies its loss."""

    weight: Annotated[float, msgspec.Meta(gt=0, le=LARGEST)] = 1.0


class ExchangedQuestion(Question, frozen=True):
    """A question of an exchange format; its weight is checked there."""

    weight: Any = UNSET


class ExportedPair(PairEnds, frozen=True):
    """What an export reads of a pair."""

    split: str
    questions: list[ExchangedQuestion] | None = None
    id: Any = UNSET


class QuestionCost(Line, frozen=True):
    """Tokens of the language model and its calls."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0


class Answered(Line, frozen=True):
    """What the question stage adds to a pair: the questions, the model's own text, what it cost."""

    questions: list[Question]
    raw: str
    cost: QuestionCost


class Unanswered(Line, frozen=True):
    """What is added to a pair that got no answer."""

    cost: QuestionCost


class UnreadAnswer(Line, frozen=True):
    """What is added to a pair whose answer cannot be read."""

    raw: str
    cost: QuestionCost


class QuestionCounts(Line, frozen=True):
    """What is counted of a pair with its questions, or of one that was set aside."""

    questions: list[Row] = []
    cost: QuestionCost | UnsetType = UNSET

    def counts(self) -> dict[str, int]:
        """Names of the summary's counts."""
        cost = {} if self.cost is UNSET else self.cost.row()
        return {"questions": len(self.questions), **cost}


class AskedPair(DescribedPair, frozen=True):
    """What the filter reads of questions.jsonl; questions keep the fields that it does not know."""

    questions: Annotated[list[Row], msgspec.Meta(min_length=1)]

    def wrong(self) -> Wrong | None:
        return wrong_question(self.questions)


class FilteredPair(Line, frozen=True):
    """What the filter leaves of a pair's questions, and those that it removed with their rules."""

    questions: list[Row] = []
    removed: list[Row] = []

    def first_rules(self) -> list[str]:
        """The rule that each removal is put down to."""
        return [next(iter(RemovedQuestion.of(item).rules)) for item in self.removed]


class RemovedQuestion(Line, frozen=True):
    """What the filter adds to a question: the rules that speak against it, each with its words."""

    rules: dict[str, str]


def wrong_question(questions: list[Row]) -> Wrong | None:
    """The first that has no question or no answer."""
    for item in questions:
        try:
            Question.of(item)
        except msgspec.ValidationError:
            return Wrong("questions", "must hold objects with question and answer", item)
    return None


def removed_question(item: Row, rules: Mapping[str, str]) -> Row:
    """A question with the rules that speak against it."""
    return {**item, **RemovedQuestion(dict(rules)).row()}
