"""Encoder, resampler and Llama: the model of equations 1 to 3."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from stepdiff_jax.data.preprocess import normalize
from stepdiff_jax.layout import PackedRows, attention_mask
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.resampler import Resampler
from stepdiff_jax.sharding import constrain


class VCLM(nnx.Module):
    """M_V, M_proj and the language model of section 3.3."""

    def __init__(self, encoder: InternVideo, resampler: Resampler, llama: Llama):
        self.encoder = encoder
        self.resampler = resampler
        self.llama = llama

    def features(self, visual: jax.Array) -> jax.Array:
        """M_V: uint8 frames [..., T, H, W, 3] -> [..., T * patches, C], without gradient.

        Features (any other dtype) pass through, cast to the language model's dtype.
        """
        dtype = jnp.dtype(self.llama.config.dtype)
        if visual.dtype != jnp.uint8:
            return visual.astype(dtype)
        *leading, frames, height, width, channels = visual.shape
        flat = normalize(visual.reshape(-1, frames, height, width, channels))
        tokens = jax.lax.stop_gradient(self.encoder.tokens(flat))
        return tokens.reshape(*leading, *tokens.shape[1:]).astype(dtype)

    def latents(self, features: jax.Array) -> jax.Array:
        """M_proj: [..., T * patches, C] -> [..., latents, E] (equations 2 and 3)."""
        flat = self.resampler(features.reshape(-1, *features.shape[-2:]))
        return flat.reshape(*features.shape[:-2], *flat.shape[1:])

    def embed(self, rows: PackedRows, latents: jax.Array) -> jax.Array:
        """Text embeddings with each row's latents [B, V, latents, E] in their slots: [B, L, E]."""
        text = self.llama.embed(rows.tokens)
        flat = latents.reshape(len(latents), -1, latents.shape[-1])
        slots = jnp.maximum(rows.visual_slot, 0)
        visual = jnp.take_along_axis(flat, slots[..., None], axis=1)
        return jnp.where((rows.visual_slot >= 0)[..., None], visual.astype(text.dtype), text)

    def hidden(self, rows: PackedRows, latents: jax.Array) -> jax.Array:
        """Final hidden states [B, L, E] of packed rows."""
        mask = attention_mask(rows, rows)
        return self.llama(self.embed(rows, latents), rows.positions, mask)[0]


class AnswerTokens(NamedTuple):
    """The tokens of each row that have a loss, [B, A]; padded with weight 0.

    log_probability: float32, of the token given its context (a factor of equation 1).
    position: int32, the token's index in the row.
    weight: float32.
    correct: bool, whether it is the most likely token.
    """

    log_probability: jax.Array
    position: jax.Array
    weight: jax.Array
    correct: jax.Array


def answer_tokens(model: VCLM, rows: PackedRows, latents: jax.Array, answers: int) -> AnswerTokens:
    """Log-probabilities of the answer tokens; logits are computed only where they are predicted.

    Args:
        rows: [B, L]; latents: [B, V, latents, E].
        answers: A, at least the number of answer tokens of any row (static).
    """
    hidden = model.hidden(rows, latents)
    position = jax.vmap(lambda mask: jnp.nonzero(mask, size=answers, fill_value=0)[0])(
        rows.loss_mask
    )
    weight = jnp.take_along_axis(rows.loss_mask, position, 1)
    target = jnp.take_along_axis(rows.tokens, position, 1)
    # The previous token predicts it; no row begins with an answer.
    before = jnp.maximum(position - 1, 0)
    logits = model.llama.logits(jnp.take_along_axis(hidden, before[..., None], 1))
    logits = constrain(logits, "rows", None, "vocab")
    log_probability = jnp.take_along_axis(jax.nn.log_softmax(logits), target[..., None], axis=-1)[
        ..., 0
    ]
    return AnswerTokens(log_probability, position, weight, jnp.argmax(logits, -1) == target)


def answer_loss(
    model: VCLM, rows: PackedRows, visual: jax.Array, answers: int
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Weighted mean negative log-likelihood of the answer tokens (equation 1).

    Args:
        rows: [B, L]; visual: uint8 frames [B, V, T, H, W, 3] or features [B, V, N, C].
    Returns:
        the loss, and metrics: share of answer tokens that are most likely, and their number.
    """
    scored = answer_tokens(model, rows, model.latents(model.features(visual)), answers)
    present = scored.weight > 0
    count = jnp.sum(present)
    loss = -jnp.sum(scored.weight * scored.log_probability) / jnp.sum(scored.weight)
    accuracy = jnp.sum(scored.correct & present) / jnp.maximum(count, 1)
    return loss, {"answer_accuracy": accuracy, "answer_tokens": count}
