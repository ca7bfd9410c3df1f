"""The shipped stand-ins: where they lie and their configurations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stepdiff_jax.config import EncoderConfig, LlamaConfig, TextTowerConfig
from stepdiff_jax.data.tokenizer import Tokenizer

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


def text_ids(texts: Sequence[str], tokenizer: Tokenizer, config: TextTowerConfig) -> np.ndarray:
    """int32 [N, context] for the text tower: start, the tokenizer's ids, end, zeros.

    As in CLIP, the end token has the largest id of all. Texts are cut to the context.
    """
    start, end = config.vocabulary_size - 2, config.vocabulary_size - 1
    ids = np.zeros((len(texts), config.context), np.int32)
    for row, text in zip(ids, texts):
        tokens = [start, *tokenizer.encode(text)[: config.context - 2], end]
        row[: len(tokens)] = tokens
    return ids
