"""The program of an experiment: its model, its packed rows, and the run it starts from."""

import dataclasses
import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grain
import numpy as np
from jax.sharding import Mesh

from stepdiff_jax.checkpoint import load_initial
from stepdiff_jax.config import Experiment
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.pipeline import Batch, training_batches
from stepdiff_jax.sharding import data_shard, make_mesh, put_rows
from stepdiff_jax.training.abstract import abstract_batch, batch_loss
from stepdiff_jax.training.executable import load_executable
from stepdiff_jax.training.flops import step_flops
from stepdiff_jax.training.optimizer import make_optimizer
from stepdiff_jax.training.program import Data, Program, make_program
from stepdiff_jax.training.run_directory import config_hash, program_hash
from stepdiff_jax.weights.build import build_model, check_features, load_tokenizer

VALIDATION_BATCHES = 8
"""Number of validation batches that a validation loss averages; always the same ones (ours)."""


def build_program(experiment: Experiment) -> tuple[Program, Any, Any]:
    """The program, a fresh trained tree and its optimizer state, all on the mesh.

    Raises:
        InputError: the mesh, the optimizer or the weights are invalid, or the cached features
            come from another encoder.
    """
    mesh = make_mesh(experiment.mesh)
    make_optimizer(experiment.optimizer)  # its errors, before weights are read
    model = build_model(experiment, mesh)
    if experiment.data.visual_input == "features":
        cache = FeatureCache.open(experiment.data.directory, experiment.data.split)
        check_features(cache, model.encoder)
    data = Data(
        batches=read_batches(experiment, experiment.data.split, mesh),
        put=partial(put_rows, mesh=mesh),
        tokens=partial(_tokens, mesh=mesh),
        validation=partial(_validation_batches, experiment, mesh),
    )
    program, trainable, opt_state = make_program(
        experiment.name,
        model,
        experiment.trainable,
        partial(batch_loss, answers=experiment.data.row_answers),
        data,
        optimizer=experiment.optimizer,
        mesh=mesh,
        resampler=dataclasses.asdict(experiment.resampler),
        config_hash=config_hash(experiment),
    )
    program = dataclasses.replace(program, step_flops=step_flops(experiment).useful)
    if experiment.weights.initial_run:
        start = partial(load_initial, Path(experiment.weights.initial_run))
        program = dataclasses.replace(program, start=start)
    return program, trainable, opt_state


def with_executable(program: Program, experiment: Experiment, path: Path, *state: Any) -> Program:
    """The program with its step loaded from a file written by `stepdiff aot --save`.

    Args:
        state: the trained tree and its optimizer state, on the mesh.
    Raises:
        InputError: as `load_executable`.
    """
    arguments = (*state, program.frozen, abstract_batch(experiment, program.mesh))
    step = load_executable(path, arguments, program.step, config_hash=program_hash(experiment))
    return dataclasses.replace(program, step=step)


def read_batches(experiment: Experiment, split: str, mesh: Mesh) -> grain.IterDataset[Batch]:
    """The part of each global batch of a split that this process's devices hold."""
    shard, shards = data_shard(mesh)
    return training_batches(
        dataclasses.replace(experiment.data, split=split),
        load_tokenizer(experiment),
        experiment.encoder,
        experiment.resampler.latents,
        seed=experiment.loop.seed,
        shard=shard,
        shards=shards,
    )


def _validation_batches(experiment: Experiment, mesh: Mesh) -> Iterator[Batch]:
    batches = read_batches(experiment, experiment.data.validation_split, mesh)
    return itertools.islice(batches, VALIDATION_BATCHES)


def _tokens(batch: Batch, mesh: Mesh) -> int:
    """Tokens of the global batch without padding, assuming that all shards have as many as this."""
    _, shards = data_shard(mesh)
    return int(np.count_nonzero(batch.rows.segment)) * shards
