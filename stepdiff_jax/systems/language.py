"""Systems that ask a language model about clips: every row of Table 1 but VLEmbed.

Which model it is, and how it is shown the clips, is behind `VideoLanguageModel`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, NamedTuple, Protocol

from stepdiff_jax.data.prompts import difference_question, ranking_question
from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank
from stepdiff_jax.evaluation.system import ChoiceQuestion, Scored, Written

YES = "YES"


@dataclass(frozen=True)
class Asked:
    """A question about clips, in the order shown.

    answer: the text whose likelihood is wanted; empty if the model is to write one.
    """

    clips: tuple[str, ...]
    question: str
    answer: str = ""


class Likelihood(NamedTuple):
    """log p(answer | clips, question) in nats, without the end token; and the answer's tokens."""

    total: float
    tokens: int
    prompt: str = ""

    @property
    def mean(self) -> float:
        """Nats per token."""
        return self.total / max(1, self.tokens)


class VideoLanguageModel(Protocol):
    """A language model that is asked about clips by their ids. Results are in the order asked.

    Both methods raise InputError if a clip is unknown or a question does not fit the model.
    """

    @property
    def settings(self) -> dict[str, Any]:
        """See `System.settings`."""
        ...

    def write(self, asked: Sequence[Asked]) -> list[Written]:
        """An answer to each question."""
        ...

    def likelihoods(self, asked: Sequence[Asked]) -> list[Likelihood]:
        """The likelihood of each given answer, summed over its tokens in float32."""
        ...


@dataclass(frozen=True)
class LanguageSystem:
    """The tasks of section 3.4, and choice questions, as questions to a language model."""

    model: VideoLanguageModel

    @property
    def settings(self) -> dict[str, Any]:
        """See `System`."""
        return self.model.settings

    def caption(self, instances: Sequence[DiffCap]) -> list[Written]:
        """Answers to the difference question (section 4.1)."""
        return self.model.write(
            [
                Asked((one.reference, one.candidate), difference_question(one.category))
                for one in instances
            ]
        )

    def choose(self, instances: Sequence[DiffMCQ]) -> list[Scored]:
        """log p(difference | pair, question) of each option (section 4.2)."""
        return self._scored(
            [
                [
                    Asked(pair, difference_question(one.category), one.difference)
                    for pair in one.options
                ]
                for one in instances
            ]
        )

    def rank(self, instances: Sequence[DiffRank]) -> list[Scored]:
        """log p("YES" | pair, question) of each target (section 4.3)."""
        return self._scored(
            [
                [
                    Asked((one.reference, target), ranking_question(one.category), YES)
                    for target in one.targets
                ]
                for one in instances
            ]
        )

    def answer(self, instances: Sequence[ChoiceQuestion]) -> list[Scored]:
        """log p(letter | clips, question with lettered options) of each option, per token (ours).

        A tokenizer may have one token for one letter and several for another.
        """
        asked = [
            [
                Asked(one.clips, lettered_question(one), ascii_uppercase[number])
                for number in range(len(one.options))
            ]
            for one in instances
        ]
        return [
            found._replace(
                scores=tuple(total / max(1, n) for total, n in zip(found.scores, found.tokens))
            )
            for found in self._scored(asked)
        ]

    def _scored(self, asked: Sequence[Sequence[Asked]]) -> list[Scored]:
        """One `Scored` per instance, from the questions of its options."""
        found = iter(self.model.likelihoods([one for options in asked for one in options]))
        return [_scored([next(found) for _ in options]) for options in asked]


def lettered_question(one: ChoiceQuestion) -> str:
    """The question with its options, a letter each (the wording is ours)."""
    options = "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, one.options))
    return f"{one.question}\n{options}\nAnswer with the letter of the correct option."


def _scored(found: Sequence[Likelihood]) -> Scored:
    totals, tokens, prompts = zip(*found)
    return Scored(totals, tokens, prompts)
