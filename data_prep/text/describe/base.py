"""The interface of the describe stage's detectors and grounding models."""

from collections.abc import Sequence
from typing import Protocol

from stepdiff_jax.inference.captioners.base import Clip


class Scorer(Protocol):
    """Scores how well phrases match a clip: a detector for objects, or grounding for actions."""

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """One score per phrase; higher means more likely present."""
        ...
