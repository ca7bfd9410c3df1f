"""Cached features belong to one encoder."""

import numpy as np
import pytest
from flax import nnx

from stepdiff_jax.config import EncoderConfig, TextTowerConfig
from stepdiff_jax.data.features import FeatureCache, write_features
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.build import check_features
from stepdiff_jax.weights.fingerprint import fingerprint

CONFIG = EncoderConfig(
    image_size=16,
    patch_size=8,
    frames=2,
    width=16,
    heads=2,
    layers=2,
    mlp_width=16,
    uniblock_layers=(1,),
    embedding_width=8,
    text=TextTowerConfig(vocabulary_size=16, context=8, width=16, heads=2, layers=1, mlp_width=16),
    dtype="float32",
)


def test_features_of_another_encoder_are_refused(tmp_path):
    encoder = InternVideo(CONFIG, rngs=nnx.Rngs(0))
    features = np.zeros((CONFIG.tokens, CONFIG.width))
    write_features(tmp_path, "train", ["v_0_5"], [features], fingerprint(nnx.state(encoder)))
    cache = FeatureCache.open(tmp_path, "train")
    check_features(cache, encoder)
    with pytest.raises(InputError, match=r"train\.npy: features of another encoder"):
        check_features(cache, InternVideo(CONFIG, rngs=nnx.Rngs(1)))
