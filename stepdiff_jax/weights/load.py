"""Loads stored tensors into the sharded arrays of a model, a few layers at a time.

Each process reads the bytes of its own devices. Tensors of one kind of weight are stacked,
transposed, cast and quantised in place on the devices, so that each process never holds more than
`BATCH_BYTES` beyond the model itself.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from stepdiff_jax.families.common.base import Tensor
from stepdiff_jax.quantize import quantize_weight
from stepdiff_jax.sharding import state_shardings
from stepdiff_jax.weights.tensor_files import DTYPES, TensorFiles

BATCH_BYTES = 1 << 27
"""Bytes that a process reads before placing them; at least one tensor (ours)."""

VALUES, SCALES = ".values", ".scales"
"""Suffixes that `QuantizedWeight` adds to the name of the weight it replaces."""

Leaves = dict[str, jax.ShapeDtypeStruct]


def abstract_leaves(state: Any, mesh: Mesh | None) -> Leaves:
    """The arrays of a module's abstract state by dotted name, with shardings.

    Args:
        mesh: None places everything on this process's first device.
    """
    if mesh is None:
        device = SingleDeviceSharding(jax.local_devices()[0])
        shardings = jax.tree.map(lambda _: device, state)
    else:
        shardings = state_shardings(state, mesh)
    return {
        name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
        for (name, leaf), sharding in zip(named_leaves(state).items(), jax.tree.leaves(shardings))
    }


def named_leaves(state: Any) -> dict[str, Any]:
    """The arrays of `nnx.state(module)` by dotted name."""
    paths, _ = jax.tree_util.tree_flatten_with_path(state)
    return {dotted(path): leaf for path, leaf in paths}


def dotted(path: tuple) -> str:
    """The name of an array of `nnx.state`, from its path in the tree."""
    return ".".join(str(key.key) for key in path if hasattr(key, "key"))


def weight_name(name: str, leaves: Any) -> str:
    """The name of an array's weight: for values and scales, that of the weight they replace."""
    weight = name.removesuffix(VALUES).removesuffix(SCALES)
    return weight if {weight + VALUES, weight + SCALES} <= leaves.keys() else name


def load_arrays(
    files: TensorFiles, tensors: Sequence[Tensor], leaves: Leaves
) -> dict[str, jax.Array]:
    """Every array of `leaves`, filled from `tensors`, which must have passed `check`.

    Layers of one array must be adjacent in `tensors`. Quantised arrays are quantised from the
    stored values, not from the model's dtype.
    """
    arrays: dict[str, jax.Array] = {}
    for batch in _batches(files, tensors):
        stored = {tensor.name: _stored(files, tensor, leaves) for tensor in batch}
        loaded = files.load(stored)
        for tensor in batch:
            parts = _parts(tensor, leaves)
            if tensor.rows is None:
                array = loaded.pop(tensor.name)
            else:  # other rows of the same tensor may belong to another array
                array = loaded[tensor.name][slice(*tensor.rows)]
            if tensor.layer is None:
                made = _converter(tensor.transposed, parts)(array)
            else:
                stacks = tuple(
                    arrays[name] if name in arrays else _zeros(leaf) for name, leaf in parts
                )
                made = _placer(tensor.transposed, parts)(stacks, array, np.int32(tensor.layer))
            arrays |= {name: part for (name, _), part in zip(parts, made)}
        jax.block_until_ready([arrays[name] for name, _ in parts])
    return arrays


def _batches(files: TensorFiles, tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive tensors of up to `BATCH_BYTES` per process; at least one tensor."""
    batch: list[Tensor] = []
    size = 0
    for tensor in tensors:
        stored = files.tensors[tensor.name]
        width = jnp.dtype(DTYPES[stored.dtype]).itemsize
        share = int(np.prod(stored.shape)) * width // jax.process_count()
        if batch and size + share > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(tensor)
        size += share
    if batch:
        yield batch


Parts = tuple[tuple[str, jax.ShapeDtypeStruct], ...]


def _parts(tensor: Tensor, leaves: Leaves) -> Parts:
    """The arrays that a tensor fills: one, or values and scales if it is quantised."""
    target = tensor.target
    names = (target,) if target in leaves else (target + VALUES, target + SCALES)
    return tuple((name, leaves[name]) for name in names)


def _stored(files: TensorFiles, tensor: Tensor, leaves: Leaves) -> jax.ShapeDtypeStruct:
    """How to read a tensor: sharded like its array, and cast to its dtype unless it is quantised or
    parts of it go into arrays of different dtypes."""
    parts = _parts(tensor, leaves)
    (_, leaf), *scales = parts
    as_stored = scales or tensor.rows is not None
    dtype = DTYPES[files.tensors[tensor.name].dtype] if as_stored else leaf.dtype
    sharding = leaf.sharding
    if isinstance(sharding, NamedSharding):
        axes = [*sharding.spec, *(None,) * (leaf.ndim - len(sharding.spec))]
        axes = axes if tensor.layer is None else axes[1:]
        if tensor.transposed:
            axes[-2:] = reversed(axes[-2:])
        sharding = NamedSharding(sharding.mesh, PartitionSpec(*axes))
    return jax.ShapeDtypeStruct(tensor.shape, dtype, sharding=sharding)


def _zeros(leaf: jax.ShapeDtypeStruct) -> jax.Array:
    return _zeros_of(leaf.shape, leaf.dtype, leaf.sharding)()


@functools.cache
def _zeros_of(shape: tuple[int, ...], dtype: Any, sharding: Sharding) -> Any:
    return jax.jit(lambda: jnp.zeros(shape, dtype), out_shardings=sharding)


def _convert(array: jax.Array, transposed: bool, leaves: Sequence[Any]) -> tuple[jax.Array, ...]:
    array = jnp.swapaxes(array, -1, -2) if transposed else array
    if len(leaves) == 1:
        return (array.astype(leaves[0].dtype),)
    values, scales = leaves

    def quantize(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
        made = quantize_weight(matrix, values.dtype.name, scales.dtype)
        return made.qvalue, made.scale

    # A stack is quantised layer by layer: in float32 it would be twice its size.
    return quantize(array) if array.ndim == 2 else jax.lax.map(quantize, array)


def _converter(transposed: bool, parts: Parts) -> Any:
    leaves = tuple(leaf for _, leaf in parts)
    if len(leaves) == 1 and not transposed:
        (leaf,) = leaves
        return lambda array: (array.astype(leaf.dtype),)
    return _compiled_converter(transposed, leaves)


@functools.cache
def _compiled_converter(transposed: bool, leaves: tuple[jax.ShapeDtypeStruct, ...]) -> Any:
    return jax.jit(
        lambda array: _convert(array, transposed, leaves),
        out_shardings=tuple(leaf.sharding for leaf in leaves),
    )


def _placer(transposed: bool, parts: Parts) -> Any:
    return _compiled_placer(transposed, tuple(leaf for _, leaf in parts))


@functools.cache
def _compiled_placer(transposed: bool, leaves: tuple[jax.ShapeDtypeStruct, ...]) -> Any:
    def place(stacks: Any, array: jax.Array, layer: jax.Array) -> tuple[jax.Array, ...]:
        made = _convert(array, transposed, leaves)
        # Not `stack.at[layer].set(part)`: that is a scatter, which copies the whole stack.
        return tuple(
            jax.lax.dynamic_update_index_in_dim(stack, part, layer, axis=0)
            for stack, part in zip(stacks, made)
        )

    return jax.jit(place, donate_argnums=0, out_shardings=tuple(leaf.sharding for leaf in leaves))
