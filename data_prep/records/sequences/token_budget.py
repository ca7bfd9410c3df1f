"""What sequences and single clips cost in tokens, counted with the layout that training has."""

import hashlib
from collections.abc import Sequence

from stepdiff_jax.data.lengths import record_example
from stepdiff_jax.data.packing import lay_out
from stepdiff_jax.data.prompts import interleaved_conversation
from stepdiff_jax.data.records import SequenceRecord
from stepdiff_jax.data.tokenizer import Tokenizer


class TokenBudget:
    """At most `tokens` for a record, where a clip's video has `latents` of them.

    Every text is tokenised by itself, so that a sequence costs what comes before any clip
    (`start`), and what each clip adds.
    """

    def __init__(self, tokenizer: Tokenizer, tokens: int, latents: int):
        self.tokens = tokens
        self._tokenizer, self._latents = tokenizer, latents
        self.start = self._sequence([])

    def added(self, narration: str) -> int:
        """What a clip with this narration adds to a sequence."""
        return self._sequence([narration]) - self.start

    def single(self, narration: str) -> int:
        """A clip by itself, with the prompt's text and the end-of-sequence token."""
        record = SequenceRecord((0,), (narration,))
        return record_example(record, self._tokenizer, self._latents).length

    @property
    def tokenizer_digest(self) -> str:
        """16 hex digits that tell this tokenizer's file from others."""
        return hashlib.sha256(self._tokenizer.path.read_bytes()).hexdigest()[:16]

    def _sequence(self, narrations: Sequence[str]) -> int:
        conversation = interleaved_conversation(range(len(narrations)), narrations)
        return lay_out(conversation, self._tokenizer, self._latents).length
