"""Our config and a Llama's `config.json` (transformers 4 or 5) or Meta's `params.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from stepdiff_jax.config import LlamaConfig, RopeScaling
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.rotary import rotary_fields
from stepdiff_jax.mismatch import Compared, require_same

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

SCALING_FIELDS = {
    "factor": "factor",
    "low_frequency_factor": "low_freq_factor",
    "high_frequency_factor": "high_freq_factor",
    "original_positions": "original_max_position_embeddings",
}
"""The same for `RopeScaling`."""

PLAIN = "default"
"""transformers' name for unscaled rotary frequencies."""


def read_llama_config(
    directory: Path, family: str = "llama2", rope_types: Sequence[str] = (PLAIN,)
) -> LlamaConfig:
    """The architecture that a Hugging Face directory declares; other fields keep their defaults.

    Args:
        rope_types: kinds of rotary frequencies that the family has, by transformers' names.
    Raises:
        InputError: config.json is missing or broken, two of its fields contradict each other, or
            its model is not supported: it has another type, other rotary frequencies, biases,
            quantised weights, or another head width.
    """
    path = directory / FILE
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(stored, dict):
        raise InputError(f"{path}: not a JSON object")
    # Checked before the sizes: a model of another type has different fields altogether.
    _require(stored, {"model_type": "llama", "hidden_act": "silu"}, path)
    if quantization := stored.get("quantization_config"):
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None
        raise InputError(
            f"{path}: its weights are quantised ({method or quantization!r}); only weights in "
            "floating point are read, and llama.quantization quantises them"
        )
    rope = rotary_fields(stored, path)
    values = _values(stored, rope, path)
    scaling = _scaling(rope, path, family, rope_types)
    config = LlamaConfig(**values, family=family, rope_scaling=scaling)
    for heads in (config.heads, config.kv_heads):
        if config.width % heads or config.heads % heads:
            raise InputError(
                f"{path}: {config.heads} heads, {config.kv_heads} of keys, do not divide "
                f"hidden_size {config.width}"
            )
    plain = {"attention_bias": False, "mlp_bias": False, "head_dim": config.head_width}
    _require(stored, plain, path)
    _require(rope, {"partial_rotary_factor": 1.0}, path)
    return config


def check_llama_config(path: Path, found: LlamaConfig, config: LlamaConfig) -> None:
    """Raise InputError naming the first field in which a config.json is not `config`'s, with the
    flags that make an experiment's config that of the weights."""
    fields = [
        Compared(theirs, f"llama.{ours}", getattr(found, ours), getattr(config, ours))
        for ours, theirs in FIELDS.items()
    ]
    first, second = found.rope_scaling, config.rope_scaling
    fields += [
        Compared(theirs, f"llama.rope_scaling.{ours}", getattr(first, ours), getattr(second, ours))
        for ours, theirs in {"kind": "rope_type", **SCALING_FIELDS}.items()
    ]
    require_same(path, fields)


def llama_config_json(config: LlamaConfig, *, positions: int, bos: int, ends: Sequence[int]) -> Any:
    """A config.json that transformers 4 and 5 both read.

    Args:
        positions: the longest context that the model is made for, in tokens.
        bos, ends: ids of the first token, and of those that end an answer.
    """
    rope: dict[str, Any] = {"rope_type": config.rope_scaling.kind or PLAIN}
    if config.rope_scaling.kind:
        rope |= {
            theirs: getattr(config.rope_scaling, ours) for ours, theirs in SCALING_FIELDS.items()
        }
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": False,
        "max_position_embeddings": positions,
        "bos_token_id": bos,
        "eos_token_id": ends[0] if len(ends) == 1 else list(ends),
        **{theirs: getattr(config, ours) for ours, theirs in FIELDS.items()},
        # transformers 5 reads rope_parameters, 4 rope_scaling beside rope_theta.
        "rope_parameters": {**rope, "rope_theta": config.rope_theta},
        **({"rope_scaling": rope} if config.rope_scaling.kind else {}),
    }


def read_meta_params(
    path: Path, params: Mapping[str, Any], vocabulary_size: int, mlp_width: int, family: str
) -> LlamaConfig:
    """Meta's params.json as our config, without scaled frequencies or tied embeddings.

    Raises InputError if a field is missing or not a number.
    """
    try:
        heads = int(params["n_heads"])
        return LlamaConfig(
            vocabulary_size=vocabulary_size,
            width=int(params["dim"]),
            layers=int(params["n_layers"]),
            heads=heads,
            kv_heads=int(params.get("n_kv_heads") or heads),
            mlp_width=mlp_width,
            rope_theta=float(params.get("rope_theta", 10000.0)),
            norm_epsilon=float(params["norm_eps"]),
            family=family,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not Meta's parameters of a Llama: {error!r}") from error


def _require(stored: Mapping[str, Any], expected: Mapping[str, Any], path: Path) -> None:
    for field, value in expected.items():
        if stored.get(field) not in (None, value):
            raise InputError(
                f"{path}: {field} is {stored[field]!r}, but only {value!r} is supported"
            )


def _values(stored: Mapping[str, Any], rope: Mapping[str, Any], path: Path) -> dict[str, Any]:
    defaults = {
        "rope_theta": 10000.0,
        "num_key_value_heads": stored.get("num_attention_heads"),
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-6,
    }
    values: dict[str, Any] = {}
    for ours, theirs in FIELDS.items():
        value = rope.get(theirs) if theirs == "rope_theta" else stored.get(theirs)
        value = defaults.get(theirs) if value is None else value
        values[ours] = _number(value, type(getattr(LlamaConfig(), ours)), theirs, path)
    return values


def _scaling(
    rope: Mapping[str, Any], path: Path, family: str, rope_types: Sequence[str]
) -> RopeScaling:
    kind = rope.get("rope_type", PLAIN)
    if kind not in rope_types:
        known = " and ".join(map(repr, rope_types))
        raise InputError(
            f"{path}: rotary frequencies of type {kind!r}; family {family} has only {known}"
        )
    if kind == PLAIN:
        return RopeScaling()
    types = {member.name: member.type for member in fields(RopeScaling)}
    return RopeScaling(
        kind,
        **{
            ours: _number(rope.get(theirs), types[ours], theirs, path)
            for ours, theirs in SCALING_FIELDS.items()
        },
    )


def _number(value: Any, kind: Any, field: str, path: Path) -> Any:
    kind = next(iter(get_args(kind)), kind)  # without its range
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, int | float):
        raise InputError(f"{path}: {field} is {value!r}, expected {kind.__name__}")
    if kind is not bool and not (0 < value < float("inf") and kind(value) == value):
        raise InputError(f"{path}: {field} is {value!r}, expected a positive {kind.__name__}")
    return kind(value)
