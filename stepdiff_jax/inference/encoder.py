"""An experiment's frozen encoder on its own, with the tokenizer of its text tower."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stepdiff_jax.config import EncoderConfig, Experiment
from stepdiff_jax.data.text_tokens import Tokenize, open_text_tokenizer
from stepdiff_jax.inference.encode import encode_texts
from stepdiff_jax.inference.mesh import vision_mesh
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.modules import load_encoder


class Encoder(NamedTuple):
    """Both towers, and the tokenizer of the text tower."""

    model: InternVideo
    config: EncoderConfig
    tokenize: Tokenize

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [N, D] in the joint space of videos and texts, of any length."""
        return encode_texts(self.model, self.tokenize(texts))


def open_encoder(experiment: Experiment) -> Encoder:
    """The encoder of an experiment, over all devices.

    Raises:
        InputError: its weights or the tokenizer of its text tower cannot be read.
    """
    tokenize = open_text_tokenizer(experiment)
    model = load_encoder(experiment.encoder, experiment.weights.encoder, vision_mesh())
    return Encoder(model, experiment.encoder, tokenize)
