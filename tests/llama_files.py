"""Hugging Face directories of tiny random Llamas, written without torch."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

from references.llama import weights
from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.weights.tensor_files import INDEX


def rope_parameters(config: LlamaConfig) -> dict[str, Any]:
    """As transformers 5 has them."""
    scaling = config.rope_scaling
    if not scaling.kind:
        return {"rope_type": "default", "rope_theta": config.rope_theta}
    return {
        "rope_type": scaling.kind,
        "rope_theta": config.rope_theta,
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_frequency_factor,
        "high_freq_factor": scaling.high_frequency_factor,
        "original_max_position_embeddings": scaling.original_positions,
    }


def config_json(config: LlamaConfig, *, version: int = 5) -> dict[str, Any]:
    """`config.json` as transformers of that major version writes it."""
    parameters = rope_parameters(config)
    theta = {"rope_theta": parameters.pop("rope_theta")}
    rope = (
        {
            **theta,
            "rope_scaling": parameters if config.rope_scaling.kind else None,
            "torch_dtype": "float16",
        }
        if version == 4
        else {"rope_parameters": parameters | theta, "dtype": "float16"}
    )
    return rope | {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": False,
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "intermediate_size": config.mlp_width,
        "rms_norm_eps": config.norm_epsilon,
        "tie_word_embeddings": config.tied_embeddings,
    }


def write_directory(
    directory: Path,
    config: LlamaConfig,
    state: dict[str, np.ndarray] | None = None,
    *,
    files: int = 3,
    dtype: Any = np.float32,
    version: int = 5,
) -> Path:
    """A directory with the weights of `references.llama.weights`, in `files` files."""
    state = weights(config) if state is None else state
    directory.mkdir(parents=True)
    names = sorted(state)
    table = {}
    for number in range(files):
        file = f"model-{number + 1:05}-of-{files:05}.safetensors"
        part = names[number::files]
        save_file(
            {name: np.asarray(jnp.asarray(state[name], dtype)) for name in part}, directory / file
        )
        table |= dict.fromkeys(part, file)
    (directory / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": table}))
    (directory / "config.json").write_text(json.dumps(config_json(config, version=version)))
    return directory
