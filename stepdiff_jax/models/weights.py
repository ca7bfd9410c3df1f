"""Weights of one module in one safetensors file, named by their path in the module.

A file always holds weights at full precision; a quantised model quantises them while it reads.
"""

import functools
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from stepdiff_jax.errors import InputError
from stepdiff_jax.quantize import quantize_weight

Module = TypeVar("Module", bound=nnx.Module)

VALUES, SCALES = ".values", ".scales"
"""What `QuantizedWeight` adds to the name of the weight that it stands for."""


def save_weights(model: nnx.Module, path: Path) -> None:
    """Write every array of `model` as float16.

    Raises:
        InputError: the model is quantised.
    """
    arrays = dict(_arrays(model))
    if any(_full_name(name, arrays) != name for name in arrays):
        raise InputError(f"{path}: a quantised model is not saved; keep the weights it came from")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.asarray(array, np.float16) for name, array in arrays.items()}, path)


def load_weights(model: Module, path: str | Path) -> Module:
    """Fill an abstract or concrete `model` from a file that `save_weights` wrote.

    Arrays take the model's dtypes. Quantised weights are read and quantised one matrix at a time,
    so no more than one of them is ever in memory at full precision.

    Raises:
        InputError: the file is missing or broken, or a name or shape differs.
    """
    path = Path(path)
    graph, state = nnx.split(model)
    leaves = dict(_arrays(model))
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = _read(file, leaves, path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot read weights: {error}") from error
    filled = jax.tree_util.tree_map_with_path(lambda keys, leaf: arrays[_name(keys)], state)
    return nnx.merge(graph, filled)


def _read(file: Any, leaves: dict[str, Any], path: Path) -> dict[str, jax.Array]:
    """The arrays of `leaves`, by name, from an open file."""
    expected = {_full_name(name, leaves) for name in leaves}
    if different := expected ^ set(file.keys()):
        name = min(different)
        kind = "missing" if name in expected else "unknown"
        raise InputError(f"{path}: {kind} tensor {name}")
    arrays: dict[str, jax.Array] = {}
    for name in sorted(expected):
        stored = file.get_slice(name)
        leaf = leaves[name if name in leaves else name + VALUES]
        if (found := tuple(stored.get_shape())) != leaf.shape:
            raise InputError(f"{path}: {name} has shape {found}, the model {leaf.shape}")
        if name in leaves:
            arrays[name] = jnp.asarray(file.get_tensor(name), leaf.dtype)
        else:
            scales = leaves[name + SCALES]
            arrays[name + VALUES], arrays[name + SCALES] = _quantize_layers(stored, leaf, scales)
    return arrays


def _quantize_layers(stored: Any, values: Any, scales: Any) -> tuple[jax.Array, jax.Array]:
    """Values and scales of a stacked weight [layers, inputs, outputs], read layer by layer."""
    stacks = (jnp.zeros(values.shape, values.dtype), jnp.zeros(scales.shape, scales.dtype))
    for layer in range(len(stacks[0])):
        array = quantize_weight(stored[layer], values.dtype.name, scales.dtype)
        stacks = _place(stacks, (array.qvalue, array.scale), layer)
    return stacks


@functools.partial(jax.jit, donate_argnums=0)
def _place(stacks: Any, parts: Any, layer: jax.Array) -> Any:
    """Each part written into its stack's own memory."""
    return jax.tree.map(lambda stack, part: stack.at[layer].set(part), stacks, parts)


def _full_name(name: str, leaves: dict[str, Any]) -> str:
    """The name in a file of a model's array: of the whole weight where it is a part of one."""
    weight = name.removesuffix(VALUES).removesuffix(SCALES)
    return weight if {weight + VALUES, weight + SCALES} <= leaves.keys() else name


def _arrays(model: nnx.Module) -> list[tuple[str, jax.Array]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(nnx.state(model))
    return [(_name(keys), leaf) for keys, leaf in leaves]


def _name(keys: tuple) -> str:
    return ".".join(str(key.key) for key in keys if hasattr(key, "key"))
