"""Systems that ask a language model: VCLM, Interleaved, StepDiff, and Socratic with texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stepdiff_jax.data.prompts import difference_question, ranking_question
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank
from stepdiff_jax.inference.clips import ClipTable
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import Request, pair_request
from stepdiff_jax.inference.score import log_likelihoods
from stepdiff_jax.models.vclm import VCLM

YES = "YES"


@dataclass(frozen=True)
class LanguageSystem:
    """A language model that reads clips as latents, or as texts instead (Socratic)."""

    model: VCLM
    tokenizer: Tokenizer
    table: ClipTable
    new_tokens: int = 64

    def caption(self, instances: Sequence[DiffCap]) -> list[str]:
        """Greedy answers to the difference question (section 4.1)."""
        requests = [
            pair_request(
                self.table, one.reference, one.candidate, difference_question(one.category)
            )
            for one in instances
        ]
        answers = generate(
            self.model, self.tokenizer, requests, self.table.latents, new_tokens=self.new_tokens
        )
        return [answer.text for answer in answers]

    def choose(self, instances: Sequence[DiffMCQ]) -> np.ndarray:
        """log p(difference | pair, question) of each option (section 4.2), [N, 4]."""
        requests = [
            pair_request(
                self.table,
                reference,
                candidate,
                difference_question(one.category),
                one.difference,
            )
            for one in instances
            for reference, candidate in one.options
        ]
        return self._likelihoods(requests)

    def rank(self, instances: Sequence[DiffRank]) -> np.ndarray:
        """log p("YES" | pair, question) of each target (section 4.3), [N, 4], in float32."""
        requests = [
            pair_request(self.table, one.reference, target, ranking_question(one.category), YES)
            for one in instances
            for target in one.targets
        ]
        return self._likelihoods(requests)

    def _likelihoods(self, requests: Sequence[Request]) -> np.ndarray:
        scores = log_likelihoods(self.model, self.tokenizer, requests, self.table.latents)
        return scores.reshape(-1, 4)
