"""Grounds actions by the similarity of our InternVideo's video and text features."""

from collections.abc import Callable, Sequence

import numpy as np

from data_prep.text.describe.base import Clip
from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.inference.encode import encode_clips, encode_texts, unit_length
from stepdiff_jax.models.internvideo import InternVideo


class InternVideoGrounding:
    """Cosine similarity of a clip and a phrase."""

    def __init__(
        self,
        encoder: InternVideo,
        config: EncoderConfig,
        tokenize: Callable[[Sequence[str]], np.ndarray],
    ):
        """Args: tokenize: texts to ids int32 [N, context] of the encoder's text tower."""
        self._encoder, self._config, self._tokenize = encoder, config, tokenize

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """See `Scorer`."""
        if not phrases:
            return []
        assert clip.frames is not None
        config = self._config
        frames = resize_and_crop(clip.frames, config.resized_side, config.image_size)
        ((_, feature),) = encode_clips(self._encoder, np.stack([frames]))
        texts = encode_texts(self._encoder, self._tokenize(phrases))
        return (unit_length(texts) @ unit_length(feature)).tolist()
