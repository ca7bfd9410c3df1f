"""The shipped stand-ins: where they lie, their configurations, reading and writing them."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from safetensors.numpy import load_file, save_file

from stepdiff_jax.config import EncoderConfig, LlamaConfig, TextTowerConfig
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError

DIRECTORY = Path(__file__).parent / "stand_ins"

LLAMA = LlamaConfig(
    vocabulary_size=768,
    width=128,
    layers=4,
    heads=4,
    kv_heads=2,
    mlp_width=352,
    dtype="float32",
    remat=False,
)
ENCODER = EncoderConfig(
    image_size=64,
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


def save_weights(model: nnx.Module, path: Path) -> None:
    """Write every array of `model` as float16 safetensors, named by its path in the module."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.asarray(array, np.float16) for name, array in _arrays(model)}, path)


def load_weights(model: nnx.Module, path: Path) -> nnx.Module:
    """Fill `model` from a file that `save_weights` wrote; returns the model.

    Raises InputError where the file is missing, or a name or shape differs.
    """
    if not path.exists():
        raise InputError(f"{path}: no such weights file")
    stored = load_file(path)
    expected = dict(_arrays(model))
    if missing := expected.keys() ^ stored.keys():
        raise InputError(f"{path}: missing or unknown tensor {sorted(missing)[0]}")
    graph, state = nnx.split(model)

    def fill(keys: tuple, leaf: jax.Array) -> jax.Array:
        array = stored[_name(keys)]
        if array.shape != leaf.shape:
            raise InputError(f"{path}: {_name(keys)} is {array.shape}, not {leaf.shape}")
        return jax.numpy.asarray(array, leaf.dtype)

    return nnx.merge(graph, jax.tree_util.tree_map_with_path(fill, state))


def _arrays(model: nnx.Module) -> list[tuple[str, jax.Array]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(nnx.state(model))
    return [(_name(keys), leaf) for keys, leaf in leaves]


def _name(keys: tuple) -> str:
    return ".".join(str(key.key) for key in keys if hasattr(key, "key"))
