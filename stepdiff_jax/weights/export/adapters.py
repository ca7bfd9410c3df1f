"""Adapters in the file format of peft (huggingface.co/docs/peft, "PEFT checkpoint format").

A directory with `adapter_config.json` and `adapter_model.safetensors`, which `peft.PeftModel` loads
onto the base model. Written without torch or peft.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.config import Experiment, LoraConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.weights.export.language_model import OURS, trained_shapes
from stepdiff_jax.weights.llama_layers import adapter_names, stored_tensors
from stepdiff_jax.weights.shards import Pending, write_file
from stepdiff_jax.weights.tensor_files import TensorFiles

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
DIRECTORY = "adapter"
"""Subdirectory of an exported model with its adapters."""


def write_adapter(
    directory: Path, experiment: Experiment, arrays: Mapping[str, np.ndarray], base: str | None
) -> None:
    """Write a run's adapters into a new directory.

    Args:
        arrays: the trained arrays of the language model, by dotted name in it.
        base: the name or directory of the language model, if known.
    """
    directory.mkdir()
    model, _ = trained_shapes(experiment)
    pending = [
        _pending(key, np.ascontiguousarray(arrays[name][layer].T))
        for key, name, layer in _keys(model)
    ]
    write_file(directory / WEIGHTS_FILE, pending, {"format": "pt"})
    config = _config(experiment.llama.lora, _modules(model), base)
    (directory / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n")


def read_adapter(directory: Path, experiment: Experiment) -> dict[str, np.ndarray]:
    """The arrays written by `write_adapter`, by checkpoint name.

    Raises InputError if the file is missing or broken, or a tensor is missing or misshapen.
    """
    files = TensorFiles(directory / WEIGHTS_FILE)
    model, wanted = trained_shapes(experiment)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    leaves = {}
    for key, name, _ in _keys(model):
        shape = wanted[name].shape[:0:-1]
        if key not in files.tensors:
            raise InputError(f"{files.path}: missing tensor {key}")
        if files.tensors[key].shape != shape:
            found = files.tensors[key].shape
            raise InputError(f"{files.path}: {key} has shape {found}, the model {shape}")
        leaves[key] = jax.ShapeDtypeStruct(shape, jnp.float32, sharding=device)
    loaded = files.load(leaves)
    arrays = {OURS + name: np.zeros(wanted[name].shape, np.float32) for _, name, _ in _keys(model)}
    for key, name, layer in _keys(model):
        arrays[OURS + name][layer] = np.asarray(loaded[key]).T
    return arrays


def _keys(model: Llama) -> Iterator[tuple[str, str, int]]:
    """For each adapter matrix: peft's name, our name, and the index of the layer in our stack."""
    for tensor in stored_tensors(model):
        if tensor.layer is not None and tensor.path[-1] in model.config.lora.matrices:
            module = tensor.name.removesuffix(".weight")
            for letter, name in zip("AB", adapter_names(tensor)):
                yield f"base_model.model.{module}.lora_{letter}.weight", name, tensor.layer


def _modules(model: Llama) -> list[str]:
    """peft's names of the matrices that have adapters, such as "q_proj"."""
    return list(dict.fromkeys(key.split(".")[-3] for key, _, _ in _keys(model)))


def _config(config: LoraConfig, modules: list[str], base: str | None) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "target_modules": modules,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "inference_mode": True,
    }


def _pending(name: str, array: np.ndarray) -> Pending:
    return Pending(name, array.shape, array.dtype, lambda: array)
