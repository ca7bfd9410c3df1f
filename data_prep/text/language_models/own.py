"""Our own language model, on one device or many."""

from collections.abc import Iterator, Sequence

from data_prep.text.language_models.base import Completion, LanguageModelError, Prompt
from stepdiff_jax.data.prompts import Conversation, Text, Turn
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import Request
from stepdiff_jax.models.vclm import VCLM


class OwnLanguageModel:
    """The frozen language model of an experiment, decoded greedily with its chat template."""

    def __init__(
        self, model: VCLM, tokenizer: Tokenizer, *, new_tokens: int = 512, batch_rows: int = 8
    ):
        self._model, self._tokenizer = model, tokenizer
        self._new_tokens, self._batch_rows = new_tokens, batch_rows

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[Completion | LanguageModelError]:
        """See `LanguageModel`; runs batches of `batch_rows` prompts."""
        # In the order of the prompts, as a stage writes each answer when it arrives.
        # One row per prompt: they share only a sentence, and every new token costs its whole row.
        for start in range(0, len(prompts), self._batch_rows):
            answers = generate(
                self._model,
                self._tokenizer,
                [_request(prompt) for prompt in prompts[start : start + self._batch_rows]],
                new_tokens=self._new_tokens,
                batch_rows=self._batch_rows,
                branches=1,
            )
            yield from (Completion(*answer[:3]) for answer in answers)


def _request(prompt: Prompt) -> Request:
    system = (Turn("system"), Text(prompt.system), Turn("user"))
    return Request(Conversation(system, ((Text(prompt.user), Turn("assistant")),)))
