"""A Llama of ours in memory as the state of ``transformers.LlamaForCausalLM``, and back."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.llama_tensors import DERIVED, EMBEDDING, HEAD, checkpoint_tensors
from stepdiff_jax.quantize import quantize_weight


def check_checkpoint(shapes: Mapping[str, tuple[int, ...]], config: LlamaConfig) -> None:
    """InputError naming each tensor that is missing, unknown or misshapen; names to shapes.

    A head beside tied embeddings is allowed, as are stored rotary frequencies.
    """
    expected = {tensor.name: tensor.shape for tensor in checkpoint_tensors(config)}
    problems = [f"missing {name}" for name in expected if name not in shapes]
    if config.tied_embeddings:
        expected[HEAD] = expected[EMBEDDING]
    for name, shape in shapes.items():
        if name.endswith(DERIVED):
            continue
        if name not in expected:
            problems.append(f"unknown {name}")
        elif tuple(shape) != expected[name]:
            problems.append(f"{name} has shape {tuple(shape)}, expected {expected[name]}")
    if problems:
        raise InputError("llama checkpoint: " + "; ".join(problems))


def from_state_dict(state: Mapping[str, np.ndarray], config: LlamaConfig) -> dict[str, Any]:
    """The arrays of ``Llama(config)``, nested by attribute, in ``config.dtype``.

    Where the config asks for it, matrices are quantised one by one, from the checkpoint's dtype.
    Put the result into a model with ``nnx.update(model, arrays)``.

    Raises:
        InputError: a tensor is missing, unknown or misshapen, or the head of a tied model is not
            its embedding.
    """
    check_checkpoint({name: array.shape for name, array in state.items()}, config)
    if config.tied_embeddings and not np.array_equal(
        state.get(HEAD, state[EMBEDDING]), state[EMBEDDING]
    ):
        raise InputError(f"llama checkpoint: {HEAD} is not {EMBEDDING}, but the config ties them")
    dtype = jnp.dtype(config.dtype)
    arrays: dict[str, Any] = {"blocks": {}}
    for tensor in checkpoint_tensors(config):
        array = state[tensor.name]
        array = array.T if tensor.transposed else array
        *parents, leaf = tensor.path
        node = arrays[parents[0]] if parents else arrays
        parts = {leaf: array.astype(dtype, copy=False)}
        if config.quantization and tensor.transposed and tensor.layer is not None:
            quantized = quantize_weight(array, config.quantization, dtype)
            parts = {
                "values": np.asarray(quantized.qvalue),
                "scales": np.asarray(quantized.scale),
            }
            node = node.setdefault(leaf, {})
        for name, part in parts.items():
            if tensor.layer is None:
                node[name] = part
            else:
                shape = (config.layers, *part.shape)
                node.setdefault(name, np.empty(shape, part.dtype))[tensor.layer] = part
    return arrays


def to_state_dict(arrays: Mapping[str, Any], config: LlamaConfig) -> dict[str, np.ndarray]:
    """The inverse of `from_state_dict`, in the arrays' dtype; a tied model gets no head.

    Raises:
        InputError: the model is quantised, so it is no longer what the checkpoint held.
    """
    if config.quantization:
        raise InputError(
            f"llama.quantization: a model in {config.quantization} is not written as a checkpoint; "
            "its weights are those that it was quantised from"
        )
    state: dict[str, np.ndarray] = {}
    for tensor in checkpoint_tensors(config):
        node: Any = arrays
        for name in tensor.path:
            node = node[name]
        array = np.asarray(node if tensor.layer is None else node[tensor.layer])
        state[tensor.name] = np.ascontiguousarray(array.T) if tensor.transposed else array
    return state
