"""Tiny random Llamas that transformers and our code build from one seed, so no weight is stored.

Nothing here knows our layout: names and shapes are those of `transformers.LlamaForCausalLM`, which
loads them strictly in tests/parity.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stepdiff_jax.config import LlamaConfig, RopeScaling

FIXTURES = Path(__file__).parents[1] / "fixtures" / "llama"

MULTI_HEAD = LlamaConfig(
    vocabulary_size=48,
    width=32,
    layers=2,
    heads=4,
    kv_heads=4,
    mlp_width=56,
    dtype="float32",
    remat=False,
)
SCALING = RopeScaling("llama3", factor=8.0)
LLAMA_3 = replace(
    MULTI_HEAD, kv_heads=2, rope_theta=500_000.0, family="llama3", rope_scaling=SCALING
)
CASES = {
    "multi_head": MULTI_HEAD,
    "grouped_query": replace(MULTI_HEAD, kv_heads=2, rope_theta=500_000.0),
    "multi_query": replace(MULTI_HEAD, kv_heads=1, layers=3, norm_epsilon=0.03),
    "tied": replace(MULTI_HEAD, kv_heads=2, tied_embeddings=True, rope_theta=1000.0),
    "llama3": LLAMA_3,
    "llama3_tied": replace(
        LLAMA_3, kv_heads=1, tied_embeddings=True, rope_scaling=replace(SCALING, factor=32.0)
    ),
}

LENGTH = 12
POSITIONS = np.stack(
    [
        np.arange(LENGTH),
        np.arange(4001 - LENGTH, 4001),
        # Distances of thousands: an error of the frequencies shows here, not in shifted positions.
        np.linspace(0, 4000, LENGTH).astype(int),
    ]
).astype(np.int32)
TOKENS = np.random.default_rng(1).integers(0, MULTI_HEAD.vocabulary_size, POSITIONS.shape, np.int32)


def positions(config: LlamaConfig) -> np.ndarray:
    """`POSITIONS`, four times as far (16,000) if frequencies are scaled for long texts."""
    return POSITIONS * 4 if config.rope_scaling.kind else POSITIONS


def shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of transformers' tensors, without the head of a tied model."""
    width, mlp, vocabulary = config.width, config.mlp_width, config.vocabulary_size
    queries, keys = config.heads * config.head_width, config.kv_heads * config.head_width
    layer = {
        "self_attn.q_proj": (queries, width),
        "self_attn.k_proj": (keys, width),
        "self_attn.v_proj": (keys, width),
        "self_attn.o_proj": (width, queries),
        "mlp.gate_proj": (mlp, width),
        "mlp.up_proj": (mlp, width),
        "mlp.down_proj": (width, mlp),
        "input_layernorm": (width,),
        "post_attention_layernorm": (width,),
    }
    named = {"model.embed_tokens.weight": (vocabulary, width), "model.norm.weight": (width,)}
    for index in range(config.layers):
        named |= {f"model.layers.{index}.{name}.weight": shape for name, shape in layer.items()}
    if not config.tied_embeddings:
        named["lm_head.weight"] = (vocabulary, width)
    return named


def weights(config: LlamaConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """float32 weights large enough that attention is far from uniform and norms do something."""
    random = np.random.default_rng(seed)
    return {
        name: (
            random.uniform(0.5, 1.5, shape)
            if len(shape) == 1
            else random.normal(0.0, 1.5 * shape[1] ** -0.5, shape)
        ).astype(np.float32)
        for name, shape in shapes(config).items()
    }
