"""Counts the tokens of sequences and single clips, laid out as in training."""

import hashlib
from collections.abc import Sequence

from stepdiff_jax.data.lengths import record_example
from stepdiff_jax.data.packing import lay_out
from stepdiff_jax.data.prompts import interleaved_conversation
from stepdiff_jax.data.records import SequenceRecord
from stepdiff_jax.data.tokenizer import Tokenizer


class TokenBudget:
    """A budget of `tokens` per record, of which each clip's video takes `latents`.

    Texts are tokenised separately, so the cost of a sequence is that of what precedes the clips
    (`start`) plus what each clip adds.
    """

    def __init__(self, tokenizer: Tokenizer, tokens: int, latents: int):
        self.tokens = tokens
        self._tokenizer, self._latents = tokenizer, latents
        self.start = self._sequence([])

    def added(self, narration: str) -> int:
        """Tokens that a clip with this narration adds to a sequence."""
        return self._sequence([narration]) - self.start

    def single(self, narration: str) -> int:
        """Tokens of a single clip, including the prompt and the end-of-sequence token."""
        record = SequenceRecord((0,), (narration,))
        return record_example(record, self._tokenizer, self._latents).length

    @property
    def tokenizer_digest(self) -> str:
        """Digest of the tokenizer's file, 16 hex digits."""
        return hashlib.sha256(self._tokenizer.path.read_bytes()).hexdigest()[:16]

    def _sequence(self, narrations: Sequence[str]) -> int:
        conversation = interleaved_conversation(range(len(narrations)), narrations)
        return lay_out(conversation, self._tokenizer, self._latents).length
