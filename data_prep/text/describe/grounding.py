"""Grounds actions by the similarity of InternVideo's video and text features."""

from collections.abc import Sequence

import numpy as np

from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.inference.captioners.base import Clip
from stepdiff_jax.inference.encode import encode_clips, unit_length
from stepdiff_jax.inference.encoder import Encoder


class InternVideoGrounding:
    """Scores phrases by their cosine similarity to a clip."""

    def __init__(self, encoder: Encoder):
        self._encoder = encoder

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """See `Scorer`."""
        if not phrases:
            return []
        assert clip.frames is not None
        config = self._encoder.config
        frames = resize_and_crop(clip.frames, config.resized_side, config.image_size)
        ((_, feature),) = encode_clips(self._encoder.model, np.stack([frames]))
        texts = self._encoder.text_features(phrases)
        return (unit_length(texts) @ unit_length(feature)).tolist()
