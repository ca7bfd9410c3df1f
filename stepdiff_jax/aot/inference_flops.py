"""Useful FLOPs of the compiled parts of inference, counted as `training.flops` counts a step.

A frozen language model's forward pass: 2N per token, attention's products included, head only where
a token is predicted; padding is counted.
"""

from stepdiff_jax.config import Experiment
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.training.flops import (
    StepFlops,
    encoder_flops,
    layer_weights,
    resampler_flops,
)


def encode_flops(experiment: Experiment, shape: BatchShape) -> StepFlops:
    """Of `shape.clips` clips, from frames or cached features to latents."""
    frames = experiment.data.visual_input == "frames"
    return StepFlops(
        language_model=0.0,
        rematerialisation=0.0,
        encoder=shape.clips * encoder_flops(experiment.encoder) * frames,
        resampler=shape.clips * resampler_flops(experiment),
    )


def score_flops(experiment: Experiment, shape: BatchShape) -> StepFlops:
    """Of a batch of rows that is scored."""
    return _forward(
        experiment,
        tokens=shape.rows * shape.row_tokens,
        seen=shape.row_tokens,
        predicted=shape.rows * shape.answers,
    )


def insert_flops(experiment: Experiment, shape: BatchShape) -> StepFlops:
    """Of the rows that are read at once before they generate."""
    return _forward(
        experiment,
        tokens=shape.inserted * shape.row_tokens,
        seen=shape.row_tokens,
        predicted=shape.inserted * shape.branches,
    )


def token_flops(experiment: Experiment, shape: BatchShape) -> StepFlops:
    """Of one token of every branch of every row."""
    branches = shape.rows * shape.branches
    capacity = shape.row_tokens + shape.branches * shape.new_tokens
    return _forward(experiment, tokens=branches, seen=capacity, predicted=branches)


def _forward(experiment: Experiment, *, tokens: int, seen: int, predicted: int) -> StepFlops:
    llama = experiment.llama
    layers = 2.0 * llama.layers * tokens * (layer_weights(llama) + 2 * seen * llama.width)
    head = 2.0 * predicted * llama.width * llama.vocabulary_size
    return StepFlops(layers + head, rematerialisation=0.0, encoder=0.0, resampler=0.0)
