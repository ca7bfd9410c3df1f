"""The two kinds of array that a model holds, each with a logical axis name per dimension.

The names ("embed", "heads", "head_dim", "mlp", "vocab", "layers", or None for a small axis) stand
in flax's own ``out_sharding`` metadata, where ``nnx.vmap`` adds the stacked axis and
``nnx.get_partition_spec`` reads them. ``eager_sharding=False`` keeps flax from asking for a mesh
when an array is made: one device needs none, elsewhere ``stepdiff_jax.sharding`` decides.
"""

from typing import Any

import jax
from flax import nnx
from jax.nn.initializers import Initializer

LogicalAxes = tuple[str | None, ...]


class Frozen(nnx.Variable):
    """A weight that training never differentiates, donates or writes to a checkpoint."""


def frozen(
    initializer: Initializer, key: jax.Array, shape: tuple[int, ...], dtype: Any, axes: LogicalAxes
) -> Frozen:
    """A frozen weight ``initializer(key, shape, dtype)``; ``axes`` names each dimension."""
    return frozen_array(initializer(key, shape, dtype), axes)


def frozen_array(array: jax.Array, axes: LogicalAxes) -> Frozen:
    """`array` as a frozen weight; ``axes`` names each dimension."""
    return Frozen(array, **_metadata(array.shape, axes))


def param(
    initializer: Initializer, key: jax.Array, shape: tuple[int, ...], dtype: Any, axes: LogicalAxes
) -> nnx.Param:
    """A trained weight ``initializer(key, shape, dtype)``; ``axes`` names each dimension."""
    return nnx.Param(initializer(key, shape, dtype), **_metadata(shape, axes))


def _metadata(shape: tuple[int, ...], axes: LogicalAxes) -> dict[str, Any]:
    if len(axes) != len(shape):
        raise ValueError(f"{len(axes)} axis names {axes} for an array of shape {shape}")
    return {"out_sharding": axes, "eager_sharding": False}
