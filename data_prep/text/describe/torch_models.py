"""A detector from transformers; needs the extra [torch], but never imports torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from stepdiff_jax.inference.captioners.base import Clip


class TransformersDetector:
    """OWLv2; a phrase's score is that of its best box in any of the frames used."""

    def __init__(self, model: Any, processor: Any, *, frames: int = 2):
        # Disables gradients without importing torch for torch.no_grad.
        self._model = model.eval().requires_grad_(False)
        self._processor, self._frames = processor, frames

    @classmethod
    def load(cls, path: str | Path, *, frames: int = 2) -> "TransformersDetector":
        """Load from a directory or a name that transformers knows."""
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        model = AutoModelForZeroShotObjectDetection.from_pretrained(path)
        return cls(model, AutoProcessor.from_pretrained(path), frames=frames)

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """See `Scorer`; the scores are probabilities."""
        if not phrases:
            return []
        texts = [[f"a photo of {phrase}" for phrase in phrases]]
        best = np.zeros(len(phrases))
        for frame in clip.some(self._frames):
            inputs = self._processor(text=texts, images=[frame], return_tensors="pt")
            logits = self._model(**inputs.to(self._model.device)).logits[0].float().cpu().numpy()
            best = np.maximum(best, expit(logits.max(axis=0)))
        return best.tolist()
