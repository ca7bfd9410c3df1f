"""Similarity by the text tower of our InternVideo."""

from data_prep.similarity.base import Embed
from stepdiff_jax.inference.encode import unit_length
from stepdiff_jax.inference.encoder import Encoder


def internvideo_embedding(encoder: Encoder) -> Embed:
    """Features of an encoder's text tower, scaled to length 1."""
    return lambda texts: unit_length(encoder.text_features(texts))
