"""The array type of all models, with a logical axis name per dimension.

The names ("embed", "heads", "head_dim", "mlp", "vocab", "layers", or None for a small axis) are
kept in flax's own ``out_sharding`` metadata, where ``nnx.vmap`` adds the stacked axis and
``nnx.get_partition_spec`` reads them. With ``eager_sharding=False`` flax needs no mesh when an
array is made: one device needs none, and otherwise ``stepdiff_jax.sharding`` decides.

Whether an array is trained does not depend on its type: `stepdiff_jax.trainable` decides it by the
array's dotted path.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer

from stepdiff_jax.trainable import is_trained

LogicalAxes = tuple[str | None, ...]


class Weight(nnx.Variable):
    """A weight of a model, trained or frozen."""


def make_weight(
    initializer: Initializer, key: jax.Array, shape: tuple[int, ...], dtype: Any, axes: LogicalAxes
) -> Weight:
    """A weight ``initializer(key, shape, dtype)``; ``axes`` names each dimension."""
    return as_weight(initializer(key, shape, dtype), axes)


def as_weight(array: jax.Array, axes: LogicalAxes) -> Weight:
    """`array` as a weight; ``axes`` names each dimension.

    Raises ValueError if the number of names differs from the number of dimensions.
    """
    if len(axes) != array.ndim:
        raise ValueError(f"{len(axes)} axis names {axes} for an array of shape {array.shape}")
    return Weight(array, out_sharding=axes, eager_sharding=False)


def bits(dtype: Any) -> int:
    """Bits of one element; those of int4 are packed in pairs on a device."""
    return 4 if dtype in (jnp.int4, jnp.uint4) else 8 * dtype.itemsize


def held_bits(model: Any) -> int:
    """Bits of all arrays of a model or of a tree of arrays, abstract ones too."""
    return sum(prod(leaf.shape) * bits(leaf.dtype) for leaf in jax.tree.leaves(model))


def split_variables(model: nnx.Module, trainable: Sequence[str]) -> tuple[nnx.GraphDef, Any, Any]:
    """A model as (graph, trained state, frozen state), in the order that `nnx.merge` accepts.

    Args:
        trainable: patterns of the trained arrays (`stepdiff_jax.trainable`).
    """
    chosen = is_trained(trainable)
    parts: tuple[Any, ...] = nnx.split(model, lambda path, _: chosen(".".join(map(str, path))), ...)
    graph, trained, frozen = parts
    return graph, trained, frozen
