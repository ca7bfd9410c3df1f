"""`StepDiff`: a trained model that compares video files and answers questions about them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from flax import nnx

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
from stepdiff_jax.inference.requests import clips_request, pair_request
from stepdiff_jax.inference.score import log_likelihoods
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.weights.build import load_tokenizer
from stepdiff_jax.weights.fingerprint import fingerprint

BATCH_GROUPS = 8
"""Groups of videos that are answered at once (ours)."""


class StepDiff:
    """Answers questions about video files, with the weights of one run."""

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

    @property
    def identity(self) -> str:
        """16 hex digits that identify the weights, trained and frozen."""
        return fingerprint(nnx.state(self.model))

    def compare(
        self, reference: str, candidate: str, *, question: str, new_tokens: int = 64
    ) -> str:
        """The greedy answer to a question about two videos (`path` or `path@start-end`)."""
        return self.ask([reference, candidate], question, new_tokens=new_tokens)

    def ask(self, videos: Sequence[str], question: str, *, new_tokens: int = 64) -> str:
        """The greedy answer to a question about one video or several, named as for `compare`.

        One is introduced to the model in AnyMAL's words, two in those of section 3.3, more by
        number (ours).
        """
        ((answer,),) = self.answers([videos], [question], new_tokens=new_tokens)
        return answer

    def answers(
        self, groups: Sequence[Sequence[str]], questions: Sequence[str], *, new_tokens: int = 64
    ) -> list[list[str]]:
        """The greedy answers to all questions about each group of videos.

        Each video is encoded once, and a group's videos are read once for all questions.

        Raises:
            InputError: a video cannot be read.
            ValueError: a group has no videos.
        """
        if not all(groups):
            raise ValueError("a group has no videos")
        table = self._table([video for videos in groups for video in videos])
        requests = [
            clips_request(table, videos, question) for videos in groups for question in questions
        ]
        found = generate(
            self.model,
            self.tokenizer,
            requests,
            table.latents,
            new_tokens=new_tokens,
            batch_rows=min(len(groups), BATCH_GROUPS),
            branches=len(questions),
        )
        return [
            [answer.text for answer in found[start : start + len(questions)]]
            for start in range(0, len(found), len(questions))
        ]

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
