"""The rows of the kitchen's Table 1: the systems and their scores."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.kitchen import language
from data_prep.kitchen.oracle import TrueClip, read_truth
from data_prep.kitchen.world import Scene
from launch.quickstart.prepare import pooled_path
from stepdiff_jax.config import Experiment
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.text_tokens import open_text_tokenizer
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.evaluation.benchmark_files import read_diffcap
from stepdiff_jax.evaluation.run import evaluate
from stepdiff_jax.evaluation.system import System
from stepdiff_jax.evaluation.tasks import benchmark_path
from stepdiff_jax.inference.clips import DescriptionTable
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.encoder import Encoder
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.own_model import OwnModel
from stepdiff_jax.systems.vlembed import VLEmbed

METRICS = ("BLEU", "CIDEr", "ROUGE-L", "attributes", "all_attributes", "accuracy", "ktau")


def video_system(model: VCLM, tokenizer: Tokenizer, data: Path, split: str) -> LanguageSystem:
    """A video-conditioned language model over the cached features of a split."""
    cache = FeatureCache.open(data, split)
    return LanguageSystem(OwnModel(model, tokenizer, latent_table(model, cache.clip_ids, cache)))


def true_descriptions(model: VCLM, tokenizer: Tokenizer, world: Path, split: str) -> LanguageSystem:
    """Socratic with perfect step descriptions: the language model's own ceiling."""
    clips = read_truth(world / "truth.jsonl", split)
    descriptions = {one.clip: language.describe(one.scene) for one in clips}
    return LanguageSystem(OwnModel(model, tokenizer, DescriptionTable(descriptions)))


def embedding_system(model: VCLM, experiment: Experiment, data: Path, split: str) -> VLEmbed:
    """VLEmbed with the kitchen's InternVideo and its stored clip features."""
    stored = np.load(pooled_path(data, split))
    videos = dict(zip(stored["ids"].tolist(), stored["features"]))
    encoder = Encoder(model.encoder, experiment.encoder, open_text_tokenizer(experiment))
    return VLEmbed(videos, encoder.text_features)


def measure(
    system: System, benchmark: Path, predictions: Path, scenes: dict[str, Scene]
) -> dict[str, Any]:
    """The metrics of `METRICS` that the system has, and the official results by task."""
    results = evaluate(system, benchmark, predictions)
    flat = {
        name: results[task][name] for task in results for name in METRICS if name in results[task]
    }
    if "diffcap" in results:
        flat |= caption_attributes(benchmark, predictions / "diffcap.jsonl", scenes)
    return {"metrics": flat, "tasks": results}


def caption_attributes(
    benchmark: Path, predictions: Path, scenes: dict[str, Scene]
) -> dict[str, float]:
    """Share of correct attributes in the captions, and of captions with all four correct."""
    shares = []
    captions = read_diffcap(benchmark_path(benchmark, "diffcap"))
    for one, line in zip(captions, predictions.read_text().splitlines()):
        text = json.loads(line)["generated_text"]
        reference, candidate = scenes[one.reference], scenes[one.candidate]
        correct, asked = language.correct_attributes(text, reference, candidate, one.category)
        shares.append(correct / asked)
    return {
        "attributes": float(np.mean(shares)),
        "all_attributes": float(np.mean([share == 1 for share in shares])),
    }


def scenes_of(clips: Sequence[TrueClip]) -> dict[str, Scene]:
    return {one.clip: one.scene for one in clips}
