"""Interfaces of the describe stage's captioners, detectors and grounding models."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Clip(NamedTuple):
    """A clip's id and its frames, uint8 [T, H, W, 3]; None if no backend needs frames."""

    id: str
    frames: np.ndarray | None = None


class Captions(NamedTuple):
    """A captioner's output for a clip: sentences about actions, and object phrases."""

    actions: tuple[str, ...]
    objects: tuple[str, ...]


class Captioner(Protocol):
    """Describes actions and objects in a clip; may hallucinate."""

    def caption(self, clip: Clip) -> Captions:
        """Caption one clip."""
        ...


class Scorer(Protocol):
    """Scores how well phrases match a clip: a detector for objects, or grounding for actions."""

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """One score per phrase; higher means more likely present."""
        ...
