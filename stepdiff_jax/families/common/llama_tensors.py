"""Llama's arrays under the names of ``transformers.LlamaForCausalLM``.

That library stores a linear layer as ``[outputs, inputs]`` and every decoder layer separately; ours
are ``[inputs, outputs]`` and stacked on a leading axis. Rotary halves are paired the same way, so
no head is permuted (Meta's own files, which interleave them, are another format).
"""

from collections.abc import Iterator

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.families.common.base import Tensor

HEAD = "lm_head.weight"
EMBEDDING = "model.embed_tokens.weight"
DERIVED = (
    ".rotary_emb.inv_freq",
    ".rotary_emb.original_inv_freq",
    ".rotary_emb.cos_cached",
    ".rotary_emb.sin_cached",
)
"""Endings of what older checkpoints store about rotary frequencies; ours follow from the config."""


def checkpoint_tensors(config: LlamaConfig) -> tuple[Tensor, ...]:
    """Every tensor of a checkpoint of this config, each exactly once; the layers of one kind of
    weight are adjacent and in order."""
    vocabulary, width = config.vocabulary_size, config.width
    tensors = [
        Tensor(EMBEDDING, (vocabulary, width), ("embedding",)),
        Tensor("model.norm.weight", (width,), ("norm",)),
    ]
    if not config.tied_embeddings:
        tensors.append(Tensor(HEAD, (vocabulary, width), ("head",), transposed=True))
    tensors += _layer_tensors(config)
    return tuple(tensors)


def _layer_tensors(config: LlamaConfig) -> Iterator[Tensor]:
    width, mlp = config.width, config.mlp_width
    queries, keys = config.heads * config.head_width, config.kv_heads * config.head_width
    norms = {"input_layernorm": "attention_norm", "post_attention_layernorm": "mlp_norm"}
    linears = {
        "self_attn.q_proj": ("query", queries, width),
        "self_attn.k_proj": ("key", keys, width),
        "self_attn.v_proj": ("value", keys, width),
        "self_attn.o_proj": ("output", width, queries),
        "mlp.gate_proj": ("gate", mlp, width),
        "mlp.up_proj": ("up", mlp, width),
        "mlp.down_proj": ("down", width, mlp),
    }
    for name, ours in norms.items():
        for layer in range(config.layers):
            key = f"model.layers.{layer}.{name}.weight"
            yield Tensor(key, (width,), ("blocks", ours), layer)
    for name, (ours, *shape) in linears.items():
        for layer in range(config.layers):
            key = f"model.layers.{layer}.{name}.weight"
            yield Tensor(key, tuple(shape), ("blocks", ours), layer, transposed=True)


def left_out(name: str, config: LlamaConfig) -> str | None:
    """Why a checkpoint may have a tensor not in `checkpoint_tensors`; None if it may not."""
    if name.endswith(DERIVED):
        return "follows from rope_theta"
    if name == HEAD and config.tied_embeddings:
        return "equal to the embedding"
    return None
