"""Our model, which reads clips as latents, or as texts instead (Socratic)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stepdiff_jax.data.prompts import Video
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.evaluation.system import Written
from stepdiff_jax.inference.beam_search import beam_search
from stepdiff_jax.inference.clips import ClipTable
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.prompt_text import prompt_text
from stepdiff_jax.inference.requests import Request, clips_request
from stepdiff_jax.inference.score import answer_likelihoods
from stepdiff_jax.inference.settings import Decoding
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.systems.language import Asked, Likelihood


@dataclass(frozen=True)
class OwnModel:
    """A `VideoLanguageModel`."""

    model: VCLM
    tokenizer: Tokenizer
    table: ClipTable
    decoding: Decoding = field(default_factory=Decoding)

    @property
    def settings(self) -> dict[str, Any]:
        """See `System`."""
        kind = "greedy" if self.decoding.beams == 1 else "beam search"
        return {"decoding": kind, **asdict(self.decoding)}

    def write(self, asked: Sequence[Asked]) -> list[Written]:
        """See `VideoLanguageModel`."""
        requests, decoding = [self._request(one) for one in asked], self.decoding
        model = self.model, self.tokenizer, requests, self.table.latents
        if decoding.beams == 1:
            answers = generate(*model, new_tokens=decoding.new_tokens)
        else:
            answers = beam_search(*model, **asdict(decoding))
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
