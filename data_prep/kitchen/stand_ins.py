"""The shipped stand-in weights: their directory and configurations."""

from pathlib import Path

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
