"""`config.json` of a Llama of transformers 4 or 5, as our config."""

import json
from pathlib import Path
from typing import Any

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.errors import InputError

FILE = "config.json"
FIELDS = {
    "vocabulary_size": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "mlp_width": "intermediate_size",
    "rope_theta": "rope_theta",
    "norm_epsilon": "rms_norm_eps",
    "tied_embeddings": "tie_word_embeddings",
}
"""Our field -> transformers'."""


def read_llama_config(directory: Path) -> LlamaConfig:
    """The architecture that a Hugging Face directory declares; the other fields are defaults.

    transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 `rope_parameters`.

    Raises:
        InputError: config.json is missing or broken, or of a model that ours is not: of another
            type, or with scaled rotary frequencies, biases or heads of another width.
    """
    path = directory / FILE
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(stored, dict):
        raise InputError(f"{path}: not a JSON object")
    values = _values(stored, path)
    config = LlamaConfig(**values)
    expected = {
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "head_dim": config.head_width,
    }
    for field, value in expected.items():
        if stored.get(field) not in (None, value):
            raise InputError(f"{path}: {field} is {stored[field]!r}, but only {value!r} is known")
    return config


def check_llama_config(directory: Path, config: LlamaConfig) -> None:
    """InputError naming the first field in which a directory's model is not `config`'s."""
    found = read_llama_config(directory)
    for ours, theirs in FIELDS.items():
        stored, wanted = getattr(found, ours), getattr(config, ours)
        if stored != wanted:
            raise InputError(
                f"{directory / FILE}: {theirs} is {stored}, the experiment's llama.{ours} {wanted}"
            )


def _values(stored: dict[str, Any], path: Path) -> dict[str, Any]:
    rope = stored.get("rope_parameters") or stored.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise InputError(f"{path}: rotary frequencies of type {kind!r}; only 'default' is known")
    defaults = {
        "rope_theta": rope.get("rope_theta", 10000.0),
        "num_key_value_heads": stored.get("num_attention_heads"),
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-6,
    }
    values: dict[str, Any] = {}
    for ours, theirs in FIELDS.items():
        value = stored.get(theirs)
        value = defaults.get(theirs) if value is None else value
        kind = type(getattr(LlamaConfig(), ours))
        if isinstance(value, bool) != (kind is bool) or not isinstance(value, int | float):
            raise InputError(f"{path}: {theirs} is {value!r}, expected {kind.__name__}")
        values[ours] = kind(value)
    return values
