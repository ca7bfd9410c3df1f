"""The compiled parts of inference as programs of `stepdiff aot`."""

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any

import jax

from stepdiff_jax.aot.inference_flops import (
    encode_flops,
    insert_flops,
    score_flops,
    token_flops,
)
from stepdiff_jax.aot.prepared import Prepared
from stepdiff_jax.aot.topology import parse_topology, topology_devices
from stepdiff_jax.config import Experiment, MeshConfig
from stepdiff_jax.inference.abstract import (
    abstract_inference_model,
    lower_advance,
    lower_encode,
    lower_insert,
    lower_score,
)
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.inference.mesh import Meshes, inference_meshes
from stepdiff_jax.models.variables import bits
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import whole_batches


def prepare_encode(experiment: Experiment, topology: str, shape: BatchShape) -> Prepared:
    """A batch of clips, from frames or cached features to latents."""
    model, meshes, shape = _laid_out(experiment, topology, shape)
    return Prepared(
        lowered=lower_encode(model, experiment, shape),
        mesh=meshes.vision,
        run="batch of clips",
        rows=shape.clips,
        row_length=0,
        pairs=shape.clips // 2,
        flops=encode_flops(experiment, shape),
        beside=shard_bytes(model.llama),
    )


def prepare_score(experiment: Experiment, topology: str, shape: BatchShape) -> Prepared:
    """The likelihoods of the answers of a batch of rows, whose clips are encoded."""
    model, meshes, shape = _laid_out(experiment, topology, shape)
    return Prepared(
        lowered=lower_score(model, shape),
        mesh=meshes.language,
        run="batch",
        rows=shape.rows,
        row_length=shape.row_tokens,
        pairs=shape.rows * shape.videos // 2,
        flops=score_flops(experiment, shape),
        beside=_vision_bytes(model),
    )


def prepare_prefill(experiment: Experiment, topology: str, shape: BatchShape) -> Prepared:
    """Reading the rows that take the place of finished ones."""
    rows = attrgetter("inserted")
    return _generating(experiment, topology, shape, "refill", rows, lower_insert, insert_flops)


def prepare_generate(experiment: Experiment, topology: str, shape: BatchShape) -> Prepared:
    """The loop that generates; it ends by itself, so one token of all branches is counted."""
    rows = attrgetter("rows")
    return _generating(experiment, topology, shape, "token", rows, lower_advance, token_flops)


def _generating(
    experiment: Experiment,
    topology: str,
    shape: BatchShape,
    run: str,
    count: Callable[[BatchShape], int],
    lower: Callable[[VCLM, BatchShape], jax.stages.Lowered],
    flops: Callable[[Experiment, BatchShape], Any],
) -> Prepared:
    model, meshes, shape = _laid_out(experiment, topology, shape)
    return Prepared(
        lowered=lower(model, shape),
        mesh=meshes.language,
        run=run,
        rows=count(shape),
        row_length=shape.row_tokens,
        pairs=count(shape) * shape.videos // 2,
        flops=flops(experiment, shape),
        beside=_vision_bytes(model),
    )


def _laid_out(
    experiment: Experiment, topology: str, shape: BatchShape
) -> tuple[VCLM, Meshes, BatchShape]:
    """The model and its meshes, and the batch with as many rows and clips as devices require."""
    chip, _ = parse_topology(topology)
    mesh = MeshConfig(replica=1, data=-1, fsdp=1, tensor=shape.tensor)
    meshes = inference_meshes(experiment, mesh, topology_devices(topology), chip.memory)
    model = abstract_inference_model(experiment, meshes)
    whole = replace(
        shape,
        rows=whole_batches(model.llama, shape.rows),
        inserted=whole_batches(model.llama, shape.inserted),
        clips=whole_batches(model.encoder, shape.clips),
    )
    return model, meshes, whole


def _vision_bytes(model: VCLM) -> int:
    return shard_bytes(model.encoder) + shard_bytes(model.resampler)


def shard_bytes(part: Any) -> int:
    """Bytes of a laid out model's arrays on each device."""
    total = 0
    for leaf in jax.tree.leaves(part):
        size = 1
        for side in leaf.sharding.shard_shape(leaf.shape):
            size *= side
        total += size * bits(leaf.dtype)
    return total // 8
