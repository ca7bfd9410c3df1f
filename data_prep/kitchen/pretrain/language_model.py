"""The stand-in for Llama-2-chat: a tiny Llama that can read and compare step descriptions."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from data_prep.kitchen.pretrain.dialogues import dialogues
from data_prep.kitchen.pretrain.fit import fit
from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.data.packing import Example, RowShape, lay_out, pack_row
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.layout import PackedRows, attention_mask
from stepdiff_jax.models.llama import Llama

ROW = RowShape(length=320, videos=1, answers=320)
ROWS = 16
NOISE = 0.7
"""Largest noise on the prefix's embeddings, relative to their RMS: soft tokens that a resampler
writes are never exactly words, and Llama-2, trained on far more text, is robust to that."""


def language_loss(
    model: Llama, rows: PackedRows, key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Weighted cross-entropy of every token that has a weight; noise on the shared prefix."""
    embeddings = model.embed(rows.tokens)
    scale_key, noise_key = jax.random.split(key)
    scale = jax.random.uniform(scale_key, (len(rows.tokens), 1, 1), maxval=NOISE)
    rms = jnp.sqrt(jnp.mean(jnp.square(model.embedding[...])))
    noise = scale * rms * jax.random.normal(noise_key, embeddings.shape)
    embeddings += jnp.where((rows.parent == 0)[..., None], noise, 0.0)
    hidden, _ = model(embeddings, rows.positions, attention_mask(rows, rows))
    log_probabilities = jax.nn.log_softmax(model.logits(hidden[:, :-1]))
    targets = rows.tokens[:, 1:]
    token_loss = -jnp.take_along_axis(log_probabilities, targets[..., None], -1)[..., 0]
    weight = rows.loss_mask[:, 1:]
    right = jnp.argmax(log_probabilities, -1) == targets
    verdict = weight > 1.0
    return jnp.sum(weight * token_loss) / jnp.sum(weight), {
        "verdict": jnp.sum(jnp.where(verdict, token_loss, 0.0)) / jnp.maximum(1, jnp.sum(verdict)),
        "right": jnp.sum(right & (weight == 1.0)) / jnp.maximum(1, jnp.sum(weight == 1.0)),
    }


def batch_of_rows(tokenizer: Tokenizer, seed: int, step: int) -> PackedRows:
    """Rows filled greedily with dialogues; a pure function of (seed, step)."""
    stream = dialogues(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
    examples = (lay_out(conversation, tokenizer, latents=0) for conversation in stream)
    rows: list[PackedRows] = []
    waiting: list[Example] = []
    while len(rows) < ROWS:
        example = next(examples)
        if sum(one.length for one in waiting) + example.length > ROW.length:
            rows.append(pack_row(waiting, ROW, latents=0)[0])
            waiting = []
        waiting.append(example)
    return PackedRows(*(np.stack(column) for column in zip(*rows)))


def train_language_model(
    config: LlamaConfig, tokenizer: Tokenizer, *, steps: int, seed: int, directory: Path
) -> Llama:
    """Train from random weights; deterministic on one kind of machine."""
    return fit(
        Llama(config, rngs=nnx.Rngs(seed)),
        language_loss,
        lambda step: batch_of_rows(tokenizer, seed, step),
        steps=steps,
        peak_rate=2e-3,
        seed=seed,
        directory=directory,
    )
