"""The interface of captioners."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Clip(NamedTuple):
    """A clip's id and its frames, uint8 [T, H, W, 3]; None if they are not needed."""

    id: str
    frames: np.ndarray | None = None

    def some(self, count: int) -> list[np.ndarray]:
        """`count` of the frames, evenly spaced from the first to the last; all if it has fewer."""
        assert self.frames is not None
        return spread(self.frames, count)


class Captions(NamedTuple):
    """A captioner's output for a clip: sentences about actions, and object phrases."""

    actions: tuple[str, ...]
    objects: tuple[str, ...]

    @property
    def text(self) -> str:
        """As one description, which a Socratic model reads instead of the clip (ours)."""
        sentences = [f"{action.rstrip('.')}." for action in self.actions]
        seen = [f"Seen are: {', '.join(self.objects)}."] if self.objects else []
        return " ".join([*sentences, *seen])


class Captioner(Protocol):
    """Describes actions and objects in a clip; may hallucinate."""

    def caption(self, clip: Clip) -> Captions:
        """Caption one clip."""
        ...


def spread(frames: np.ndarray | Sequence[np.ndarray], count: int) -> list[np.ndarray]:
    """`count` of the frames, evenly spaced from the first to the last; all if there are fewer."""
    positions = np.linspace(0, len(frames) - 1, min(count, len(frames)))
    return [frames[round(position)] for position in positions]
