"""Tiny models of ours with random weights, and a tokenizer to go with them."""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from llama3_files import write_llama3_tokenizer
from references.llama import weights
from references.llama_state import from_state_dict
from stepdiff_jax.config import (
    EncoderConfig,
    LlamaConfig,
    ResamplerConfig,
    RopeScaling,
    TextTowerConfig,
)
from stepdiff_jax.data.tokenizer import Tokenizer, train_tokenizer
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.resampler import Resampler
from stepdiff_jax.models.vclm import VCLM

Module = TypeVar("Module", bound=nnx.Module)

ENCODER = EncoderConfig(
    image_size=16,
    patch_size=8,
    frames=2,
    width=16,
    heads=2,
    layers=2,
    mlp_width=32,
    uniblock_layers=(1,),
    embedding_width=8,
    text=TextTowerConfig(vocabulary_size=20, context=6, width=16, heads=2, layers=1, mlp_width=32),
    dtype="float32",
)
RESAMPLER = ResamplerConfig(layers=2, latents=3, heads=2, head_width=8, mlp_width=32)

SENTENCES = (
    "You are a helpful assistant that answers questions about a pair of videos.",
    "Here is the first video: . Here is the second video: .",
    "what is the main difference between these videos in the category ingredients",
    "the person chops a red onion, instead of a green onion. YES NO [INST] [/INST]",
)


@functools.cache
def tokenizer(family: str = "llama2") -> Tokenizer:
    with tempfile.TemporaryDirectory() as directory:
        if family == "llama3":
            path = write_llama3_tokenizer(Path(directory), SENTENCES, vocabulary_size=340)
            return Tokenizer(path, family)
        return train_tokenizer(SENTENCES, Path(directory) / "tiny.model", vocabulary_size=340)


def llama(config: LlamaConfig) -> Llama:
    """Our Llama with the weights that transformers' gets in `references.transformers_llama`."""
    model = nnx.eval_shape(lambda: Llama(config, rngs=nnx.Rngs(0)))
    nnx.update(model, from_state_dict(weights(config), config))
    return model


@jax.jit
def causal_logits(model: Llama, tokens: jax.Array, positions: jax.Array) -> jax.Array:
    """float32 [B, L, vocabulary] of plain sequences."""
    length = tokens.shape[1]
    mask = jnp.broadcast_to(jnp.tri(length, dtype=bool), (len(tokens), length, length))
    hidden, _ = model(model.embed(tokens), positions, mask)
    return model.logits(hidden)


def vclm(family: str = "llama2") -> VCLM:
    """A video-conditioned language model over `tokenizer(family)`, all in float32."""
    config = LlamaConfig(
        vocabulary_size=tokenizer(family).vocabulary_size,
        width=32,
        layers=2,
        heads=4,
        kv_heads=2,
        mlp_width=56,
        dtype="float32",
        remat=False,
    )
    if family == "llama3":
        scaling = RopeScaling("llama3", factor=8.0, original_positions=256)
        config = replace(config, family=family, tied_embeddings=True, rope_scaling=scaling)
    sizes = {"input_width": ENCODER.width, "output_width": config.width, "frames": ENCODER.frames}
    encoder = filled(lambda: InternVideo(ENCODER, rngs=nnx.Rngs(0)), seed=1)
    resampler = filled(lambda: Resampler(RESAMPLER, **sizes, rngs=nnx.Rngs(0)), seed=2)
    return VCLM(encoder, resampler, llama(config))


def filled(make: Callable[[], Module], seed: int) -> Module:
    """A model with random weights, without compiling its initialisers."""
    graph, state = nnx.split(nnx.eval_shape(make))
    random = np.random.default_rng(seed)

    def fill(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if leaf.ndim < 2:
            return jnp.asarray(random.normal(0.7, 0.3, leaf.shape), leaf.dtype)
        scale = leaf.shape[-2] ** -0.5
        return jnp.asarray(random.normal(0.0, scale, leaf.shape), leaf.dtype)

    return nnx.merge(graph, jax.tree.map(fill, state))
