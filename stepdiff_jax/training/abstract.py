"""The training step and the shapes of its arguments: all that compilation needs, no arrays."""

from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.pipeline import Batch
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import bits, split_variables
from stepdiff_jax.models.vclm import VCLM, answer_loss
from stepdiff_jax.sharding import rows_sharding, state_shardings
from stepdiff_jax.training.optimizer import make_optimizer
from stepdiff_jax.training.step import make_step


def abstract_batch(experiment: Experiment, mesh: Mesh) -> Batch:
    """The global batch of one step as shapes, its rows sharded over the mesh.

    Raises ValueError if the mesh's data axes do not divide `data.batch_rows`.
    """
    data, encoder = experiment.data, experiment.encoder
    rows, videos = data.batch_rows, data.row_videos
    sharding = rows_sharding(mesh)

    def array(dtype: Any, *shape: int) -> Any:
        sharding.shard_shape((rows, *shape))
        return jax.ShapeDtypeStruct((rows, *shape), dtype, sharding=sharding)

    tokens = array(jnp.int32, data.row_length)
    weights = array(jnp.float32, data.row_length)
    packed = PackedRows(tokens, tokens, tokens, tokens, tokens, loss_mask=weights)
    if data.visual_input == "features":
        visual = array(jnp.float16, videos, encoder.tokens, encoder.width)
    else:
        side = encoder.image_size
        visual = array(jnp.uint8, videos, encoder.frames, side, side, 3)
    return Batch(packed, visual, array(jnp.int32, videos))


def batch_loss(model: VCLM, batch: Any, *, answers: int) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The `answer_loss` of one `Batch` on the mesh."""
    return answer_loss(model, batch.rows, batch.visual, answers)


def lower_step(experiment: Experiment, mesh: Mesh) -> jax.stages.Lowered:
    """The step that `stepdiff train` runs, lowered for the devices of `mesh`.

    Raises:
        InputError: a large weight has a dimension that its mesh axis does not divide, or the
            optimizer's settings are invalid.
        ValueError: as `abstract_batch`.
    """
    optimizer, schedule = make_optimizer(experiment.optimizer)
    graph, trainable, opt_state, frozen = _abstract_state(experiment, optimizer, mesh)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, (trainable, opt_state))
    loss = partial(batch_loss, answers=experiment.data.row_answers)
    step = make_step(graph, optimizer, schedule, loss, mesh, shardings)
    return step.lower(trainable, opt_state, frozen, abstract_batch(experiment, mesh))


def held_bytes(experiment: Experiment, mesh: Mesh) -> int:
    """Bytes of weights and optimizer state per device of the mesh.

    Raises InputError as `lower_step`.
    """
    optimizer, _ = make_optimizer(experiment.optimizer)
    _, *state = _abstract_state(experiment, optimizer, mesh)
    held = sum(
        prod(leaf.sharding.shard_shape(leaf.shape)) * bits(leaf.dtype)
        for leaf in jax.tree.leaves(state)
    )
    return held // 8


def _abstract_state(
    experiment: Experiment, optimizer: optax.GradientTransformation, mesh: Mesh
) -> tuple[Any, Any, Any, Any]:
    """The model's graph, trained tree, optimizer state and frozen weights."""
    graph, trainable, frozen = split_variables(abstract_model(experiment), experiment.trainable)
    opt_state = jax.eval_shape(optimizer.init, trainable)
    states = (
        jax.tree.map(_with_sharding, state, state_shardings(state, mesh))
        for state in (trainable, opt_state, frozen)
    )
    return graph, *states


def _with_sharding(leaf: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
