"""Our model, which reads clips as latents, or as texts instead (Socratic)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.evaluation.system import Written
from stepdiff_jax.inference.clips import ClipTable
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import Request, clips_request
from stepdiff_jax.inference.score import answer_likelihoods
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.systems.language import Asked, Likelihood


@dataclass(frozen=True)
class OwnModel:
    """A `VideoLanguageModel`; captions are greedy."""

    model: VCLM
    tokenizer: Tokenizer
    table: ClipTable
    new_tokens: int = 64

    @property
    def settings(self) -> dict[str, Any]:
        """See `System`."""
        return {"decoding": "greedy", "new_tokens": self.new_tokens}

    def write(self, asked: Sequence[Asked]) -> list[Written]:
        """See `VideoLanguageModel`."""
        answers = generate(
            self.model,
            self.tokenizer,
            [self._request(one) for one in asked],
            self.table.latents,
            new_tokens=self.new_tokens,
        )
        return [Written(one.text, one.new_tokens, one.cut) for one in answers]

    def likelihoods(self, asked: Sequence[Asked]) -> list[Likelihood]:
        """See `VideoLanguageModel`."""
        found = answer_likelihoods(
            self.model,
            self.tokenizer,
            [self._request(one) for one in asked],
            self.table.latents,
        )
        return [Likelihood(one.total, one.tokens) for one in found]

    def _request(self, asked: Asked) -> Request:
        return clips_request(self.table, asked.clips, asked.question, asked.answer)
