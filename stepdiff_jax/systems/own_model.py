"""Our model, which reads clips as latents, or as texts instead (Socratic)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepdiff_jax.data.prompts import Video
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.evaluation.system import Written
from stepdiff_jax.inference.clips import ClipTable
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.prompt_text import prompt_text
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
        return [
            Written(answer.text, answer.new_tokens, answer.cut, (self._prompt(one),))
            for answer, one in zip(answers, asked, strict=True)
        ]

    def likelihoods(self, asked: Sequence[Asked]) -> list[Likelihood]:
        """See `VideoLanguageModel`."""
        found = answer_likelihoods(
            self.model,
            self.tokenizer,
            [self._request(one) for one in asked],
            self.table.latents,
        )
        return [
            Likelihood(score.total, score.tokens, self._prompt(one))
            for score, one in zip(found, asked, strict=True)
        ]

    def _request(self, asked: Asked) -> Request:
        return clips_request(self.table, asked.clips, asked.question, asked.answer)

    def _prompt(self, asked: Asked) -> str:
        segments = {clip: self.table.segment(clip) for clip in asked.clips}
        shown = {one.clip: name for name, one in segments.items() if isinstance(one, Video)}
        return prompt_text(self._request(asked), self.tokenizer.family, shown)
