"""Weights of one module in one safetensors file, named by their path in the module."""

from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from stepdiff_jax.errors import InputError

Module = TypeVar("Module", bound=nnx.Module)


def save_weights(model: nnx.Module, path: Path) -> None:
    """Write every array of `model` as float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.asarray(array, np.float16) for name, array in _arrays(model)}, path)


def load_weights(model: Module, path: str | Path) -> Module:
    """Fill an abstract or concrete `model` from a file that `save_weights` wrote.

    Arrays take the model's dtypes.

    Raises:
        InputError: the file is missing or broken, or a name or shape differs.
    """
    path = Path(path)
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot read weights: {error}") from error
    graph, state = nnx.split(model)
    expected = {name for name, _ in _arrays(model)}
    if different := expected ^ stored.keys():
        name = min(different)
        kind = "missing" if name in expected else "unknown"
        raise InputError(f"{path}: {kind} tensor {name}")

    def fill(keys: tuple, leaf: jax.Array) -> jax.Array:
        name = _name(keys)
        array = stored[name]
        if array.shape != leaf.shape:
            raise InputError(f"{path}: {name} has shape {array.shape}, the model {leaf.shape}")
        return jnp.asarray(array, leaf.dtype)

    return nnx.merge(graph, jax.tree_util.tree_map_with_path(fill, state))


def _arrays(model: nnx.Module) -> list[tuple[str, jax.Array]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(nnx.state(model))
    return [(_name(keys), leaf) for keys, leaf in leaves]


def _name(keys: tuple) -> str:
    return ".".join(str(key.key) for key in keys if hasattr(key, "key"))
