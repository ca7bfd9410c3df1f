"""The batches of an experiment, opened and checked before its model is loaded."""

import dataclasses
import itertools
from functools import partial
from typing import NamedTuple

import grain
import numpy as np
from jax.sharding import Mesh

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.pipeline import Batch, training_batches
from stepdiff_jax.errors import InputError
from stepdiff_jax.sharding import data_shard, make_mesh, put_rows
from stepdiff_jax.training.program import Data
from stepdiff_jax.weights.build import load_tokenizer

VALIDATION_BATCHES = 8
"""Number of validation batches that a validation loss averages; always the same ones (ours)."""


class OpenData(NamedTuple):
    """What training reads, with the mesh that it goes to.

    caches: the caches of features among it; they must be of the model's own encoder.
    """

    mesh: Mesh
    data: Data
    caches: tuple[FeatureCache, ...]


def open_data(experiment: Experiment) -> OpenData:
    """Open the training split and, if it is evaluated on, the validation split.

    Every record's length is known afterwards, from `record_lengths`, and fits in a row.

    Raises:
        InputError: as `make_mesh` and `training_batches`, for either split.
    """
    mesh, config = make_mesh(experiment.mesh), experiment.data
    splits, validation = [config.split], None
    batches = read_batches(experiment, config.split, mesh)
    if experiment.loop.evaluate_every:
        splits.append(config.validation_split)
        try:
            held_out = read_batches(experiment, config.validation_split, mesh)
        except InputError as error:
            raise InputError(
                f"data.validation_split {config.validation_split!r}: {error} "
                "(loop.evaluate_every 0 disables the evaluation)"
            ) from error
        validation = partial(itertools.islice, held_out, VALIDATION_BATCHES)
    data = Data(
        batches=batches,
        put=partial(put_rows, mesh=mesh),
        tokens=partial(_tokens, mesh=mesh),
        validation=validation,
    )
    cached = splits if config.visual_input == "features" else ()
    caches = (FeatureCache.open(config.directory, split) for split in cached)
    return OpenData(mesh, data, tuple(caches))


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


def _tokens(batch: Batch, mesh: Mesh) -> int:
    """Tokens of the global batch without padding, assuming that all shards have as many as this."""
    _, shards = data_shard(mesh)
    return int(np.count_nonzero(batch.rows.segment)) * shards
