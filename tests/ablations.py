"""Tiny experiments that train something of the language model beside the resampler."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from llama_files import write_directory
from references.llama import weights
from stepdiff_jax.checkpoint import CheckpointMetadata, TrainedWeights, write_trained
from stepdiff_jax.config import Experiment, LlamaConfig, LoraConfig
from stepdiff_jax.config_files import CONFIG_FILE, to_dict
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.weights.load import named_leaves
from tiny_experiment import LLAMA

THREE_LAYERS = dataclasses.replace(LLAMA, layers=3)
ADAPTED = ("query", "output", "down")
LORA = LoraConfig(rank=3, alpha=6.0, matrices=ADAPTED)
CASES: dict[str, tuple[LlamaConfig, tuple[str, ...]]] = {
    "last layers": (THREE_LAYERS, ("resampler", "llama.blocks[-2:]")),
    "lora": (dataclasses.replace(THREE_LAYERS, lora=LORA), ("resampler", "llama.*lora*")),
}


def ablation(tiny: Experiment, case: str, directory: Path) -> Experiment:
    """`tiny` as one of `CASES`, with a language model of three layers in `directory`."""
    llama, trainable = CASES[case]
    if not directory.exists():
        # Larger weights than a fresh model's, so that greedy answers are not all one token.
        write_directory(directory, THREE_LAYERS, weights(THREE_LAYERS, seed=3))
    places = dataclasses.replace(tiny.weights, llama=str(directory))
    return dataclasses.replace(tiny, llama=llama, trainable=trainable, weights=places)


def trained_leaves(experiment: Experiment) -> dict[str, Any]:
    """Shapes and dtypes of what the experiment trains, by their names in a checkpoint."""
    _, trained, _ = split_variables(abstract_model(experiment), experiment.trainable)
    return named_leaves(trained)


def write_random_run(experiment: Experiment, run: Path) -> Path:
    """A run directory with random trained weights."""
    rng = np.random.default_rng(5)
    arrays = {
        name: rng.normal(0.7 * (leaf.ndim < 2), 0.3, leaf.shape).astype(leaf.dtype)
        for name, leaf in trained_leaves(experiment).items()
    }
    run.mkdir(parents=True)
    (run / CONFIG_FILE).write_text(json.dumps(to_dict(experiment)))
    metadata = CheckpointMetadata("", dataclasses.asdict(experiment.resampler), "hash")
    write_trained(run, TrainedWeights(7, metadata, arrays))
    return run
