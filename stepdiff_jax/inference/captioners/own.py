"""Our single-video model as a captioner."""

from pathlib import Path

import numpy as np

from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.data.prompts import single_conversation
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.captioners.base import Captions, Clip
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import Request
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.weights.build import load_tokenizer

ACTION_QUESTION = "What does the person do? Answer in a single sentence."
OBJECT_QUESTION = "Which ingredients and tools are seen? Answer with a list, separated by commas."

SINGLE = "single"
"""Name of the single-video records."""


class OwnCaptioner:
    """A model trained on single videos, prompted as in AnyMAL; the questions are ours."""

    def __init__(
        self, model: VCLM, tokenizer: Tokenizer, encoder: EncoderConfig, *, new_tokens: int = 48
    ):
        self._model, self._tokenizer, self._encoder = model, tokenizer, encoder
        self._new_tokens = new_tokens

    @classmethod
    def load(cls, directory: Path) -> "OwnCaptioner":
        """Load from a run directory of an experiment on single videos.

        Raises:
            InputError: the directory has no configuration or trained weights, or the run was not
                trained on single videos.
        """
        experiment = read_experiment(directory)
        parts = [source.name for source in experiment.data.sources]
        if SINGLE not in parts:
            raise InputError(
                f"{directory}: was trained on {', '.join(parts)}; a captioner needs a run on "
                f"{SINGLE!r}, such as vclm_7b"
            )
        model = trained_model(experiment, directory)
        return cls(model, load_tokenizer(experiment), experiment.encoder)

    def caption(self, clip: Clip) -> Captions:
        """See `Captioner`."""
        assert clip.frames is not None
        frames = resize_and_crop(clip.frames, self._encoder.resized_side, self._encoder.image_size)
        table = latent_table(self._model, [clip.id], np.stack([frames]))
        requests = [
            Request(single_conversation(0, [(question, None)]))
            for question in (ACTION_QUESTION, OBJECT_QUESTION)
        ]
        action, listed = generate(
            self._model,
            self._tokenizer,
            requests,
            table.latents,
            new_tokens=self._new_tokens,
            batch_rows=1,
            branches=len(requests),
        )
        objects = dict.fromkeys(phrase.strip(" .") for phrase in listed.text.split(","))
        return Captions((action.text,) if action.text else (), tuple(filter(None, objects)))
