"""Clips of which only the middle frame is shown, as to a model of images (ours)."""

import hashlib
from typing import Any

import numpy as np

from stepdiff_jax.evaluation.system import ClipSource


class MiddleFrame:
    """Another source's clips, each frame of which is the middle one; see `ClipSource`."""

    def __init__(self, clips: ClipSource):
        self._clips = clips
        self.ids = clips.ids
        self._facts: dict[str, dict[str, Any]] = {}

    def frames(self, clip: str) -> np.ndarray:
        """uint8 [T, H, W, 3], all equal."""
        frames = self._clips.frames(clip)
        return np.repeat(frames[len(frames) // 2][None], len(frames), axis=0)

    def facts(self, clip: str) -> dict[str, Any]:
        """The source's own, but for the time of the frame and the SHA-256 of its pixels."""
        if clip not in self._facts:
            facts, frame = self._clips.facts(clip), self.frames(clip)[0]
            times = facts["times"]
            shown = {
                "times": [times[len(times) // 2]] * len(times),
                "frames": hashlib.sha256(frame.tobytes()).hexdigest(),
            }
            self._facts[clip] = facts | shown
        return self._facts[clip]
