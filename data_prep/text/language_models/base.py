"""What a stage asks of a language model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class LanguageModelError(Exception):
    """One prompt got no answer; a stage quarantines its record with this reason."""


@dataclass(frozen=True)
class Prompt:
    """A request's system text and what the user says.

    `facts` names the record ("clip", or "reference" and "candidate"), for models that know more of
    it than the prompt says; the models here look at the texts alone.
    """

    user: str
    system: str = "You are a helpful AI assistant."
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Completion:
    """A model's answer, and the tokens that it cost (0 where the model does not say)."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class LanguageModel(Protocol):
    """Answers prompts; the answer to one prompt does not depend on those around it.

    A model may also have an attribute `settings`, a mapping that JSON can hold: what its answers
    depend on, as a stage's summary records it.
    """

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[Completion | LanguageModelError]:
        """One answer, or the error in its place, for each prompt, in order."""
        ...
