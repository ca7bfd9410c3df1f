"""How our language model writes its answers: the options of the systems that have it."""

from dataclasses import dataclass

from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.settings import Decoding
from stepdiff_jax.systems.options import SystemOptions


@dataclass(frozen=True)
class Writing(SystemOptions):
    """Options of a system whose answers our language model writes."""

    beams: int = 1
    """Beams of the search; 1 is greedy."""
    length_penalty: float = 1.0
    """Of the beam search: log-probabilities are divided by length ** penalty."""
    new_tokens: int = 64
    """Most tokens of an answer."""

    def __post_init__(self) -> None:
        for flag, value in (("--beams", self.beams), ("--new-tokens", self.new_tokens)):
            if value < 1:
                raise InputError(f"{flag} must be at least 1, got {value}")

    @property
    def decoding(self) -> Decoding:
        """The same in one."""
        return Decoding(self.beams, self.length_penalty, self.new_tokens)
