"""Our own format for one module's weights: safetensors, named by path in the module.

A file holds unquantised weights; a quantised model quantises them while loading.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx
from safetensors.numpy import save_file

from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Tensor
from stepdiff_jax.files import replacing
from stepdiff_jax.weights.load import named_leaves, weight_name


def save_weights(model: nnx.Module, path: Path) -> None:
    """Write every array of `model` as float16.

    Raises:
        InputError: the model is quantised.
    """
    arrays = named_leaves(nnx.state(model))
    if any(weight_name(name, arrays) != name for name in arrays):
        raise InputError(
            f"{path}: a quantised model is not saved; keep the weights it was loaded from"
        )
    save_arrays({name: np.asarray(array, np.float16) for name, array in arrays.items()}, path)


def save_arrays(
    arrays: Mapping[str, np.ndarray], path: Path, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write arrays under the names that `native_tensors` expects, in their own dtypes."""
    with replacing(path) as unfinished:
        save_file(
            dict(arrays), unfinished, {key: str(value) for key, value in (metadata or {}).items()}
        )


def native_tensors(leaves: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """The tensors in a file of a model with these arrays (`named_leaves`): one per weight."""
    return tuple(
        Tensor(name, shape, tuple(name.split(".")))
        for name, shape in {
            weight_name(name, leaves): leaf.shape
            for name, leaf in leaves.items()
            # The values of a quantised weight have the weight's shape.
            if not (name.endswith(".scales") and weight_name(name, leaves) != name)
        }.items()
    )
