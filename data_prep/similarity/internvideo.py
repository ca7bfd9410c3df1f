"""Similarity by the text tower of our InternVideo."""

from collections.abc import Callable, Sequence

import numpy as np

from data_prep.similarity.base import Embed
from stepdiff_jax.inference.encode import encode_texts, unit_length
from stepdiff_jax.models.internvideo import InternVideo


def internvideo_embedding(
    encoder: InternVideo, tokenize: Callable[[Sequence[str]], np.ndarray]
) -> Embed:
    """By the text tower of InternVideo.

    Args:
        tokenize: from texts to ids int32 [n, context].
    """
    return lambda texts: unit_length(np.asarray(encode_texts(encoder, tokenize(texts)), np.float32))
