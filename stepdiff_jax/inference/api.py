"""`StepDiff`: a trained model that compares video files."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stepdiff_jax.addresses import refuse_stores
from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.data.prompts import CATEGORIES, difference_question, ranking_question
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.data.video_span import parse_video
from stepdiff_jax.inference.clips import LatentTable
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import pair_request
from stepdiff_jax.inference.score import log_likelihoods
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.weights.build import load_tokenizer


class StepDiff:
    """Answers questions about pairs of video files, with the weights of one run."""

    def __init__(self, model: VCLM, tokenizer: Tokenizer, encoder: EncoderConfig):
        self.model, self.tokenizer, self.encoder = model, tokenizer, encoder

    @classmethod
    def load(cls, directory: str | Path, *, allow_other_frozen_weights: bool = False) -> "StepDiff":
        """Load the model of a run directory.

        Raises InputError if it has no configuration or no trained weights, or if the frozen
        weights are not those that it was trained with and this is not allowed.
        """
        refuse_stores([str(directory)])
        experiment = read_experiment(Path(directory))
        model = trained_model(
            experiment,
            Path(directory),
            allow_other_frozen_weights=allow_other_frozen_weights,
        )
        return cls(model, load_tokenizer(experiment), experiment.encoder)

    def compare(
        self, reference: str, candidate: str, *, question: str, new_tokens: int = 64
    ) -> str:
        """The greedy answer to a question about two videos (`path` or `path@start-end`)."""
        table = self._table([reference, candidate])
        request = pair_request(table, reference, candidate, question)
        (answer,) = generate(
            self.model,
            self.tokenizer,
            [request],
            table.latents,
            new_tokens=new_tokens,
            batch_rows=1,
        )
        return answer.text

    def differences(
        self, reference: str, candidate: str, categories: Sequence[str] = CATEGORIES
    ) -> dict[str, str]:
        """Category -> the main difference (DiffCap, section 3.4)."""
        table = self._table([reference, candidate])
        requests = [
            pair_request(table, reference, candidate, difference_question(category))
            for category in categories
        ]
        answers = generate(
            self.model,
            self.tokenizer,
            requests,
            table.latents,
            batch_rows=1,
            branches=len(requests),
        )
        return {category: answer.text for category, answer in zip(categories, answers)}

    def rank(
        self, reference: str, candidates: Sequence[str], *, category: str
    ) -> list[tuple[str, float]]:
        """Candidates with p("YES"), most similar to the reference first (DiffRank, section 3.4)."""
        table = self._table([reference, *candidates])
        requests = [
            pair_request(table, reference, candidate, ranking_question(category), "YES")
            for candidate in candidates
        ]
        scores = log_likelihoods(
            self.model,
            self.tokenizer,
            requests,
            table.latents,
            batch_rows=1,
        )
        order = np.argsort(-scores, kind="stable")
        return [(candidates[index], float(math.exp(scores[index]))) for index in order]

    def _table(self, videos: Sequence[str]) -> LatentTable:
        names = list(dict.fromkeys(videos))
        frames = np.stack([self._frames(name) for name in names])
        return latent_table(self.model, names, frames)

    def _frames(self, video: str) -> np.ndarray:
        config = self.encoder
        sampled = parse_video(video).sample(config.frames)
        return resize_and_crop(sampled.frames, config.resized_side, config.image_size)
