"""Identifies frozen weights by a checksum, computed where the arrays are stored."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def fingerprint(frozen: Any) -> str:
    """16 hex digits of a hash of the frozen weights' names, shapes, dtypes and checksums.

    Checksums are computed on the shards, so a sharded 70B model is never gathered.
    """
    digest = hashlib.sha256()
    leaves, _ = jax.tree_util.tree_flatten_with_path(frozen)
    sums = jax.jit(lambda arrays: [_checksum(array) for array in arrays])(
        [leaf for _, leaf in leaves]
    )
    for (path, leaf), total in zip(leaves, sums):
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.shape} {leaf.dtype}".encode())
        digest.update(np.asarray(total).tobytes())
    return digest.hexdigest()[:16]


def _checksum(array: jax.Array) -> jax.Array:
    """Weighted sum of the array's bits modulo 2**32: exact in any order and sharding."""
    unsigned = {4: jnp.uint4, 8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}
    bits = jax.lax.bitcast_convert_type(array, unsigned[jax.dtypes.itemsize_bits(array.dtype)])
    bits = bits.astype(jnp.uint32)
    # The row-major index modulo 2**32, from one index per axis: flattening would gather the shards.
    position, stride = jnp.zeros((), jnp.uint32), 1
    for axis in reversed(range(bits.ndim)):
        index = jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
        position += index * jnp.uint32(stride % 2**32)
        stride *= bits.shape[axis]
    return jnp.sum(bits * (position * jnp.uint32(2654435761) | jnp.uint32(1)), dtype=jnp.uint32)
