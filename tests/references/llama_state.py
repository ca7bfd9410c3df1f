"""A Llama of ours in memory as the state of ``transformers.LlamaForCausalLM``, and back."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.families.common.llama_tensors import checkpoint_tensors
from stepdiff_jax.quantize import quantize_weight


def from_state_dict(state: Mapping[str, np.ndarray], config: LlamaConfig) -> dict[str, Any]:
    """The arrays of ``Llama(config)``, nested by attribute, in ``config.dtype``.

    Where the config asks for it, matrices are quantised one by one, from the checkpoint's dtype.
    Put the result into a model with ``nnx.update(model, arrays)``.
    """
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
    """The inverse of `from_state_dict`, in the arrays' dtype; a tied model gets no head."""
    state: dict[str, np.ndarray] = {}
    for tensor in checkpoint_tensors(config):
        node: Any = arrays
        for name in tensor.path:
            node = node[name]
        array = np.asarray(node if tensor.layer is None else node[tensor.layer])
        state[tensor.name] = np.ascontiguousarray(array.T) if tensor.transposed else array
    return state
