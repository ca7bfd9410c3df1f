"""What the describe stage asks of captioners, detectors and grounding models."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Clip(NamedTuple):
    """A clip's id and its frames, uint8 [T, H, W, 3]; no frames where no backend needs them."""

    id: str
    frames: np.ndarray | None = None


class Captions(NamedTuple):
    """What a captioner says of a clip: sentences on the actions, and phrases for the objects."""

    actions: tuple[str, ...]
    objects: tuple[str, ...]


class Captioner(Protocol):
    """Says what is done and what is there; it may make things up."""

    def caption(self, clip: Clip) -> Captions:
        """The captions of one clip."""
        ...


class Scorer(Protocol):
    """Says how well phrases fit a clip: a detector for objects, or grounding for actions."""

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """One score for each phrase; the greater, the likelier it is there."""
        ...
