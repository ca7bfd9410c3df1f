"""Clips of random frames, for systems that ask models about frames."""

from typing import Any

import numpy as np

CLIPS = ("a_0_8", "b_0_8", "c_0_8")
TIMES = 12.0 + 0.5 * np.arange(8)


class RandomClips:
    """Eight frames of each of `CLIPS`, half a second apart; see `ClipSource`.

    read: the clips whose frames were asked for, in order.
    """

    ids = CLIPS

    def __init__(self, height: int, width: int) -> None:
        shape = (len(CLIPS), len(TIMES), height, width, 3)
        self.stored = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
        self.read: list[str] = []

    def frames(self, clip: str) -> np.ndarray:
        self.read.append(clip)
        return self.stored[CLIPS.index(clip)]

    def facts(self, clip: str) -> dict[str, Any]:
        return {"times": TIMES.tolist()}
