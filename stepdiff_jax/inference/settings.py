"""Settings of how answers are written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decoding:
    """Greedy with one beam, a beam search with more; at most `new_tokens` tokens.

    length_penalty: of the beam search, see `beam_search`.
    """

    beams: int = 1
    length_penalty: float = 1.0
    new_tokens: int = 64
