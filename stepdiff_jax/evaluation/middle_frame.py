"""Clips of which only the middle frame is shown, as to a model of images (ours)."""

from typing import Any

import numpy as np

from stepdiff_jax.evaluation.system import ClipSource


class MiddleFrame:
    """Another source's clips, each frame of which is the middle one; see `ClipSource`."""

    def __init__(self, clips: ClipSource):
        self._clips = clips
        self.ids = clips.ids

    def frames(self, clip: str) -> np.ndarray:
        """uint8 [T, H, W, 3], all equal."""
        frames = self._clips.frames(clip)
        return np.repeat(frames[len(frames) // 2][None], len(frames), axis=0)

    def facts(self, clip: str) -> dict[str, Any]:
        """The source's own, with one time for all frames."""
        facts = self._clips.facts(clip)
        times = facts["times"]
        return {**facts, "times": [times[len(times) // 2]] * len(times)}
