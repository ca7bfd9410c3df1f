"""The shipped stand-in weights: their directory and configurations."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from stepdiff_jax.config import EncoderConfig, LlamaConfig, TextTowerConfig

DIRECTORY = Path(__file__).parent / "stand_ins"

LLAMA = LlamaConfig(
    vocabulary_size=768,
    width=128,
    layers=5,
    heads=4,
    kv_heads=2,
    mlp_width=352,
    dtype="float32",
    remat=False,
)
Size = Literal["base", "small"]
LLAMAS: dict[Size, LlamaConfig] = {
    "base": LLAMA,
    "small": replace(LLAMA, width=96, layers=3, mlp_width=224),
}
"""The language models by size; "small" is for a comparison of sizes, as in the paper's Table 2."""

ENCODER = EncoderConfig(
    image_size=64,
    resized_side=64,
    patch_size=8,
    frames=8,
    width=128,
    heads=4,
    layers=4,
    mlp_width=512,
    uniblock_layers=(2, 3),
    embedding_width=128,
    text=TextTowerConfig(
        vocabulary_size=770, context=77, width=128, heads=4, layers=2, mlp_width=512
    ),
    dtype="float32",
)


def language_model_file(size: Size) -> str:
    """Name of the weights file of a language model."""
    return "language_model.safetensors" if size == "base" else f"language_model_{size}.safetensors"
