"""The interface of language models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stepdiff_jax.surrogates import without_surrogates


class LanguageModelError(Exception):
    """The model has no answer to this one prompt; the stage quarantines the record with it.

    A model that cannot be reached, or that fails whatever it is asked, raises
    `stepdiff_jax.errors.OutsideFailure` instead: the stage stops, and resumes when started again.
    """


@dataclass(frozen=True)
class Prompt:
    """A system prompt and a user message.

    `facts` identifies the record ("clip", or "reference" and "candidate") for models that know
    more about it than the prompt; the models here use only the texts.
    """

    user: str
    system: str = "You are a helpful AI assistant."
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Completion:
    """A model's answer and its token counts (0 if the model does not report them).

    Halves of characters in the text, as in an answer cut at its token limit, become U+FFFD.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", without_surrogates(self.text))


class LanguageModel(Protocol):
    """Answers prompts; each answer is independent of the other prompts.

    A model may also have an attribute `settings`, a JSON-serializable mapping of what its answers
    depend on, which is recorded in a stage's summary.
    """

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[Completion | LanguageModelError]:
        """Yield one answer or error per prompt, in order.

        Raises:
            OutsideFailure: the model is not available.
        """
        ...
