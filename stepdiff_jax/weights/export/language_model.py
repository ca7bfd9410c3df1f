"""A run's language model under transformers' names, with the weights the run trained."""

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from stepdiff_jax.checkpoint import TrainedWeights
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Tensor
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.weights.llama_layers import adapter_names, stored_tensors
from stepdiff_jax.weights.load import named_leaves
from stepdiff_jax.weights.modules import fill_llama
from stepdiff_jax.weights.shards import Pending
from stepdiff_jax.weights.tensor_files import TensorFiles

PREFIX = "language_model."
OURS = "llama."

Adapters = Literal["apart", "merged"]


def trained_arrays(trained: TrainedWeights) -> dict[str, np.ndarray]:
    """The language model's trained arrays, adapters included, by dotted name in it."""
    return {
        name.removeprefix(OURS): array
        for name, array in trained.arrays.items()
        if name.startswith(OURS)
    }


def check_export(
    experiment: Experiment,
    trained: TrainedWeights,
    llm: Literal["reference", "include"],
    adapters: Adapters,
) -> None:
    """Raise InputError if the language model's trained arrays cannot be exported this way."""
    own = [name for name in trained_arrays(trained) if ".lora." not in name]
    if own and llm == "reference":
        raise InputError(
            f"--llm reference: the run trained {OURS}{own[0]}, which the base does not have; use "
            "--llm include"
        )
    if adapters == "merged" and not experiment.llama.lora.rank:
        raise InputError("--adapters merged: the run has llama.lora.rank 0")
    if adapters == "merged" and llm == "reference":
        raise InputError("--adapters merged requires --llm include")


def language_model_tensors(
    experiment: Experiment, trained: TrainedWeights, adapters: Adapters
) -> list[Pending]:
    """All tensors, read from our arrays one at a time.

    Tensors that the run trained are written in float32, as they were trained, and the others in
    the model's dtype. Merged adapters are added to their matrices in float32.
    """
    model = abstract_model(experiment).llama
    filled = fill_llama(model, experiment.weights.llama)
    arrays = named_leaves(nnx.state(filled)) | trained_arrays(trained)
    scale = experiment.llama.lora.alpha / max(experiment.llama.lora.rank, 1)
    pending = []
    for tensor in stored_tensors(model):
        stack = arrays[tensor.target]

        def read(tensor: Tensor = tensor, stack: Any = stack) -> np.ndarray:
            array = np.asarray(stack if tensor.layer is None else stack[tensor.layer])
            a, b = adapter_names(tensor)
            if adapters == "merged" and a in arrays:
                factors = (np.asarray(arrays[name][tensor.layer]) for name in (a, b))
                product = np.matmul(*factors, dtype=np.float32)
                array = (array.astype(np.float32) + scale * product).astype(array.dtype)
            return array.T if tensor.transposed else array

        pending.append(Pending(PREFIX + tensor.name, tensor.shape, np.dtype(stack.dtype), read))
    return pending


def trained_from_torch(files: TensorFiles, experiment: Experiment) -> dict[str, np.ndarray]:
    """An exported run's trained arrays of the language model, without adapters, by checkpoint name.

    Raises InputError if a tensor is missing.
    """
    model, wanted = trained_shapes(experiment)
    wanted = {name: leaf for name, leaf in wanted.items() if ".lora." not in name}
    tensors = [tensor for tensor in stored_tensors(model) if tensor.target in wanted]
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    leaves = {
        PREFIX + tensor.name: jax.ShapeDtypeStruct(tensor.shape, jnp.float32, sharding=device)
        for tensor in tensors
    }
    if missing := sorted(leaves.keys() - files.tensors.keys()):
        raise InputError(f"{files.path}: missing tensor {missing[0]}")
    loaded = files.load(leaves)
    stacks: dict[str, list[np.ndarray]] = {}
    for tensor in tensors:
        array = np.asarray(loaded[PREFIX + tensor.name])
        stacks.setdefault(tensor.target, []).append(array.T if tensor.transposed else array)
    return {
        OURS + name: arrays[0] if len(wanted[name].shape) == arrays[0].ndim else np.stack(arrays)
        for name, arrays in stacks.items()
    }


def trained_shapes(experiment: Experiment) -> tuple[Llama, Mapping[str, Any]]:
    """The abstract language model, and its trained arrays by dotted name in it."""
    model = abstract_model(experiment)
    _, trained, _ = split_variables(model, experiment.trainable)
    leaves = named_leaves(trained)
    return model.llama, {
        name.removeprefix(OURS): leaf for name, leaf in leaves.items() if name.startswith(OURS)
    }
