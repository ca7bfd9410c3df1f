"""Which tensor of a published checkpoint each of our encoder's arrays comes from.

Two namings: InternVideo's (its ``clip.`` prefix removed) and that of ``transformers.CLIPModel``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from stepdiff_jax.config import EncoderConfig

Path = tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One tensor of a checkpoint: its name and shape there, and how it becomes our array."""

    key: str
    shape: tuple[int, ...]
    convert: Callable[[np.ndarray], np.ndarray] = lambda array: array


Sources = dict[Path, Source | list[Source]]
"""Our array's path -> its source; a list has one source per layer, to be stacked."""


@dataclass(frozen=True)
class Naming:
    """The names of one kind of checkpoint; a block's name is followed by the layer's number."""

    patch_kernel: str
    class_embedding: str
    position_embedding: str
    ln_pre: str
    blocks: str
    ln_post: str
    projection: str
    token_embedding: str
    text_position_embedding: str
    text_blocks: str
    ln_final: str
    text_projection: str
    attention_in: str  # "{}" stands for q, k or v; without it the three are one fused tensor
    attention_out: str
    ln_1: str
    ln_2: str
    mlp_up: str
    mlp_down: str
    patch_has_time: bool
    projection_is_linear: bool  # [outputs, inputs], as torch's Linear stores it


INTERNVIDEO = Naming(
    patch_kernel="visual.conv1.weight",
    class_embedding="visual.class_embedding",
    position_embedding="visual.positional_embedding",
    ln_pre="visual.ln_pre",
    blocks="visual.transformer.resblocks.",
    ln_post="visual_ln_post",
    projection="visual_proj",
    token_embedding="token_embedding.weight",
    text_position_embedding="positional_embedding",
    text_blocks="transformer.resblocks.",
    ln_final="ln_final",
    text_projection="text_projection",
    attention_in="attn.in_proj_",
    attention_out="attn.out_proj",
    ln_1="ln_1",
    ln_2="ln_2",
    mlp_up="mlp.c_fc",
    mlp_down="mlp.c_proj",
    patch_has_time=True,
    projection_is_linear=False,
)

HUGGING_FACE = Naming(
    patch_kernel="vision_model.embeddings.patch_embedding.weight",
    class_embedding="vision_model.embeddings.class_embedding",
    position_embedding="vision_model.embeddings.position_embedding.weight",
    ln_pre="vision_model.pre_layrnorm",
    blocks="vision_model.encoder.layers.",
    ln_post="vision_model.post_layernorm",
    projection="visual_projection.weight",
    token_embedding="text_model.embeddings.token_embedding.weight",
    text_position_embedding="text_model.embeddings.position_embedding.weight",
    text_blocks="text_model.encoder.layers.",
    ln_final="text_model.final_layer_norm",
    text_projection="text_projection.weight",
    attention_in="self_attn.{}_proj.",
    attention_out="self_attn.out_proj",
    ln_1="layer_norm1",
    ln_2="layer_norm2",
    mlp_up="mlp.fc1",
    mlp_down="mlp.fc2",
    patch_has_time=False,
    projection_is_linear=True,
)

DPE = "visual.transformer.dpe."
EXTRACTORS = "visual.transformer.dec."


def source_table(config: EncoderConfig, naming: Naming) -> Sources:
    """The source of every array of ``InternVideo(config)``, by its path in ``nnx.state``."""
    width, text = config.width, config.text
    patch, embedding = config.patch_size, config.embedding_width
    upper = len(config.uniblock_layers)
    time = (1,) if naming.patch_has_time else ()
    table: Sources = {
        ("logit_scale",): Source("logit_scale", ()),
        ("video", "patch_kernel"): Source(
            naming.patch_kernel,
            (width, 3, *time, patch, patch),
            lambda w: w.reshape(width, 3, patch, patch).transpose(2, 3, 1, 0),
        ),
        ("video", "class_embedding"): Source(naming.class_embedding, (width,)),
        ("video", "position_embedding"): Source(
            naming.position_embedding, (1 + (config.image_size // patch) ** 2, width)
        ),
        ("video", "projection"): _projection(naming, naming.projection, width, embedding),
        ("text", "token_embedding"): Source(
            naming.token_embedding, (text.vocabulary_size, text.width)
        ),
        ("text", "position_embedding"): Source(
            naming.text_position_embedding, (text.context, text.width)
        ),
        ("text", "projection"): _projection(naming, naming.text_projection, text.width, embedding),
    }
    table |= _join(
        {
            ("video", "ln_pre"): _layer_norm(naming.ln_pre, width),
            ("video", "ln_post"): _layer_norm(naming.ln_post, width),
            ("text", "ln_final"): _layer_norm(naming.ln_final, text.width),
        }
    )
    sizes = (width, config.heads, config.mlp_width)
    blocks = [_block(naming, f"{naming.blocks}{i}.", *sizes) for i in range(config.layers)]
    table |= _stack(("video", "lower"), blocks[: config.layers - upper])
    table |= _stack(("video", "upper"), blocks[config.layers - upper :])
    text_sizes = (text.width, text.heads, text.mlp_width)
    text_blocks = [
        _block(naming, f"{naming.text_blocks}{i}.", *text_sizes) for i in range(text.layers)
    ]
    table |= _stack(("text", "blocks"), text_blocks)
    if upper:
        table["video", "balance"] = Source("visual.transformer.balance", (width,))
        table["video", "temporal_class"] = Source(
            "visual.transformer.temporal_cls_token", (1, 1, width), lambda w: w.reshape(width)
        )
        table |= _stack(("video", "uniblocks"), [_uniblock(i, *sizes) for i in range(upper)])
    return table


def _uniblock(index: int, width: int, heads: int, mlp_width: int) -> dict[Path, Source]:
    extractor = f"{EXTRACTORS}{index}."
    parts: dict[Path, dict[Path, Source]] = {
        (): _block(INTERNVIDEO, extractor, width, heads, mlp_width),
        ("ln_3",): _layer_norm(f"{extractor}ln_3", width),
    }
    return _join(parts) | {
        ("dpe", "kernel"): Source(
            f"{DPE}{index}.weight", (width, 1, 3, 3, 3), lambda w: w[:, 0].transpose(1, 2, 3, 0)
        ),
        ("dpe", "bias"): Source(f"{DPE}{index}.bias", (width,)),
    }


def _block(
    naming: Naming, prefix: str, width: int, heads: int, mlp_width: int
) -> dict[Path, Source]:
    per_head = (heads, width // heads)
    parts: dict[Path, dict[Path, Source]] = {
        ("ln_1",): _layer_norm(prefix + naming.ln_1, width),
        ("ln_2",): _layer_norm(prefix + naming.ln_2, width),
        ("attention", "out"): _linear(prefix + naming.attention_out, per_head, (width,)),
        ("mlp", "up"): _linear(prefix + naming.mlp_up, (width,), (mlp_width,)),
        ("mlp", "down"): _linear(prefix + naming.mlp_down, (mlp_width,), (width,)),
    }
    for third, role in enumerate(("query", "key", "value")):
        name = prefix + naming.attention_in
        if "{}" in name:
            part = _linear(name.format(role[0]).removesuffix("."), (width,), per_head)
        else:
            part = _fused(name, third, width, per_head)
        parts["attention", role] = part
    return _join(parts)


def _layer_norm(name: str, width: int) -> dict[Path, Source]:
    return {
        ("scale",): Source(f"{name}.weight", (width,)),
        ("bias",): Source(f"{name}.bias", (width,)),
    }


def _linear(name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> dict[Path, Source]:
    return {
        ("kernel",): Source(
            f"{name}.weight", (prod(outputs), prod(inputs)), lambda w: w.T.reshape(inputs + outputs)
        ),
        ("bias",): Source(f"{name}.bias", (prod(outputs),), lambda b: b.reshape(outputs)),
    }


def _fused(name: str, third: int, width: int, per_head: tuple[int, int]) -> dict[Path, Source]:
    """Query (0), key (1) or value (2) of torch's fused input projection."""
    rows = slice(third * width, (third + 1) * width)
    return {
        ("kernel",): Source(
            f"{name}weight", (3 * width, width), lambda w: w[rows].T.reshape(width, *per_head)
        ),
        ("bias",): Source(f"{name}bias", (3 * width,), lambda b: b[rows].reshape(per_head)),
    }


def _projection(naming: Naming, key: str, width: int, embedding: int) -> Source:
    if naming.projection_is_linear:
        return Source(key, (embedding, width), lambda w: w.T)
    return Source(key, (width, embedding))


def _join(parts: dict[Path, dict[Path, Source]]) -> dict[Path, Source]:
    return {path + leaf: source for path, part in parts.items() for leaf, source in part.items()}


def _stack(prefix: Path, layers: list[dict[Path, Source]]) -> Sources:
    """One list of sources per leaf; empty if there are no layers."""
    return {prefix + leaf: [layer[leaf] for layer in layers] for leaf in (layers or [{}])[0]}
