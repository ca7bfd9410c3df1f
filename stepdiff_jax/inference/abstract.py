"""The compiled parts of inference and the shapes of their arguments: no arrays, any devices."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stepdiff_jax.config import Experiment
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.inference.decoding import State, advance, idle_state, insert, state_layout
from stepdiff_jax.inference.encode import _latents as encode_latents
from stepdiff_jax.inference.mesh import Meshes
from stepdiff_jax.inference.score import answer_log_probabilities
from stepdiff_jax.inference.tree_rows import TreeRows
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import mesh_of, rules_of, state_shardings

ABOVE = 2
"""Segments above a token of an answer: its video's and its question's."""

ENDS = 2
"""End tokens of a family; Llama-3 has two."""


def abstract_inference_model(experiment: Experiment, meshes: Meshes) -> VCLM:
    """The model with every array as a shape that is laid out as `untrained_model` lays it out.

    Raises InputError if a large array does not divide over its mesh.
    """
    model = abstract_model(experiment)
    for part, mesh in (
        (model.llama, meshes.language),
        (model.encoder, meshes.vision),
        (model.resampler, meshes.vision),
    ):
        state = nnx.state(part)
        nnx.update(part, jax.tree.map(_with_sharding, state, state_shardings(state, mesh)))
    return model


def lower_encode(model: VCLM, experiment: Experiment, shape: BatchShape) -> jax.stages.Lowered:
    """Frames or cached features of a batch of clips to latents."""
    encoder = experiment.encoder
    mesh = _mesh(model.encoder)
    spec = rules_of(mesh).spec(("rows",))
    if experiment.data.visual_input == "features":
        clip: tuple[int, ...] = (encoder.tokens, encoder.width)
        dtype: Any = jnp.float16
    else:
        clip = (encoder.frames, encoder.image_size, encoder.image_size, 3)
        dtype = jnp.uint8
    visual = jax.ShapeDtypeStruct((shape.clips, *clip), dtype, sharding=NamedSharding(mesh, spec))
    return _lower(encode_latents, mesh, model, visual)


def lower_score(model: VCLM, shape: BatchShape) -> jax.stages.Lowered:
    """Log-probabilities of the answers of a batch of rows."""
    mesh = _mesh(model.llama)
    answers = _integers(mesh, shape.rows, shape.answers)
    trees = TreeRows(
        _rows(mesh, shape.rows, shape.row_tokens),
        _integers(mesh, shape.rows, shape.row_tokens, ABOVE),
        answers,
        answers,
    )
    latents = _latents(model, mesh, shape.rows, shape.videos)
    return _lower(answer_log_probabilities, mesh, model, trees, latents)


def lower_insert(model: VCLM, shape: BatchShape) -> jax.stages.Lowered:
    """Reading new rows, and putting them in the place of finished ones."""
    mesh = _mesh(model.llama)
    return _lower(
        insert,
        mesh,
        model,
        _idle(model, shape),
        _rows(mesh, shape.inserted, shape.row_tokens),
        _latents(model, mesh, shape.inserted, shape.videos),
        _integers(mesh, shape.inserted),
        _integers(mesh, ENDS),
    )


def lower_advance(model: VCLM, shape: BatchShape) -> jax.stages.Lowered:
    """The loop that generates: one iteration is one token of all branches of all rows."""
    mesh = _mesh(model.llama)
    return _lower(advance, mesh, model, _idle(model, shape), _integers(mesh), _integers(mesh, ENDS))


def _lower(run: Callable[..., Any], mesh: Mesh, *arguments: Any) -> jax.stages.Lowered:
    """Lower a function that `on_mesh_of` wraps around a jitted one."""
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
        return run.__wrapped__.lower(*arguments)  # type: ignore[attr-defined]


def _idle(model: VCLM, shape: BatchShape) -> State:
    """The state as `idle` lays it out."""
    sizes = (shape.rows, shape.row_tokens, shape.branches, shape.new_tokens)
    state = jax.eval_shape(partial(idle_state, model.llama.config, *sizes))
    return jax.tree.map(_with_sharding, state, state_layout(_mesh(model.llama)))


def _mesh(part: Any) -> Mesh:
    mesh = mesh_of(part)
    assert mesh is not None
    return mesh


def _rows(mesh: Mesh, rows: int, length: int) -> PackedRows:
    tokens = _integers(mesh, rows, length)
    return PackedRows(*[tokens] * len(PackedRows._fields))


def _latents(model: VCLM, mesh: Mesh, rows: int, videos: int) -> Any:
    latents, width = model.resampler.initial_latents.shape[0], model.llama.config.width
    dtype = jnp.dtype(model.llama.config.dtype)
    return _whole(mesh, dtype, rows, videos, latents, width)


def _integers(mesh: Mesh, *shape: int) -> Any:
    return _whole(mesh, jnp.int32, *shape)


def _whole(mesh: Mesh, dtype: Any, *shape: int) -> Any:
    """An array that comes from the host: every device gets all of it."""
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, PartitionSpec()))


def _with_sharding(leaf: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
