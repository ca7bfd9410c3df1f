"""Masked attention with grouped keys and values, and rotary positions."""

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.config import RopeScaling

UNSCALED = RopeScaling()


def attend(
    query: jax.Array, key: jax.Array, value: jax.Array, mask: jax.Array | None = None
) -> jax.Array:
    """Softmax attention, the softmax in float32.

    Batch and heads are the leading axes of both products: XLA's CPU backend runs that several times
    faster than contractions with inner batch axes, and as separate axes each can be sharded.

    Args:
        query: [B, Q, H, D]; key, value: [B, S, K, D] with K dividing H (grouped queries).
        mask: bool [B, Q, S], True where a query attends to a key; None attends to all.
    Returns:
        [B, Q, H, D] in the query's dtype.
    """
    batch, queries, heads, width = query.shape
    keys, kv_heads = key.shape[1:3]
    groups = heads // kv_heads
    q = query.reshape(batch, queries, kv_heads, groups, width).transpose(0, 2, 3, 1, 4)
    q = q.reshape(batch, kv_heads, groups * queries, width) * jnp.asarray(width**-0.5, query.dtype)
    k, v = (x.transpose(0, 2, 1, 3) for x in (key, value))
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=jnp.float32)
    if mask is not None:
        scores = scores.reshape(batch, kv_heads, groups, queries, keys)
        # Added, not selected: the gradient of a sum needs no copy of the mask.
        scores += jnp.where(mask, 0.0, jnp.finfo(jnp.float32).min)[:, None, None]
        scores = scores.reshape(batch, kv_heads, groups * queries, keys)
    weights = jax.nn.softmax(scores).astype(value.dtype)
    out = jnp.einsum("bhqk,bhkd->bhqd", weights, v)
    out = out.reshape(batch, kv_heads, groups, queries, width).transpose(0, 3, 1, 2, 4)
    return out.reshape(batch, queries, heads, width)


def rotary_tables(
    positions: jax.Array, width: int, theta: float, scaling: RopeScaling = UNSCALED
) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines of the rotary embedding (RoFormer, arXiv 2104.09864, equation 34).

    Args:
        positions: int [..., L].
        width: of a head, even.
    Returns:
        two float32 arrays [..., L, 1, width / 2].
    """
    # In float64, before tracing: positions multiply any error of the frequencies.
    frequencies = theta ** (-np.arange(0, width, 2) / width)
    if scaling.kind:
        frequencies = scaled_frequencies(frequencies, scaling)
    frequencies = frequencies.astype(np.float32)
    angles = positions[..., None, None].astype(jnp.float32) * frequencies
    return jnp.cos(angles), jnp.sin(angles)


def scaled_frequencies(frequencies: np.ndarray, scaling: RopeScaling) -> np.ndarray:
    """Llama-3.1's rotary frequencies (transformers, modeling_rope_utils.py, `rope_type: llama3`).

    Args:
        frequencies: float64 [width / 2], radians per token.
    Returns:
        float64 [width / 2].
    """
    periods = scaling.original_positions * frequencies / (2 * np.pi)
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    kept = np.clip((periods - low) / (high - low), 0.0, 1.0)
    return kept * frequencies + (1 - kept) * frequencies / scaling.factor


def rotate(x: jax.Array, tables: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Rotate [..., L, H, D] by its positions; halves are paired, as in transformers' Llama."""
    cosines, sines = tables
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = [first * cosines - second * sines, second * cosines + first * sines]
    return jnp.concatenate(turned, axis=-1).astype(x.dtype)
