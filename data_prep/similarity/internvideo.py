"""Similarity by the text tower of our InternVideo."""

from data_prep.similarity.base import Embed
from stepdiff_jax.inference.encode import unit_length
from stepdiff_jax.inference.encoder import Encoder


def internvideo_embedding(encoder: Encoder) -> Embed:
    """Embed texts with an encoder's text tower, normalized to length 1."""
    return lambda texts: unit_length(encoder.text_features(texts))
