"""Runs the encoder and the resampler over many clips, each clip once."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.data.preprocess import normalize
from stepdiff_jax.data.visual import VisualSource
from stepdiff_jax.inference.clips import LatentTable
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import constrain, on_its_mesh

BATCH = 32


def encode_clips(
    encoder: InternVideo, frames: VisualSource, *, progress: Callable[[int], object] = int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Tokens and pooled feature of each clip, in order.

    Args:
        frames: uint8 [T, S, S, 3] by clip index.
        progress: called after each batch with its number of clips.
    Yields:
        (tokens float32 [T * patches, C], feature float32 [D]).
    """
    for tokens, feature in _batched(partial(_encode, encoder), frames, progress):
        yield from zip(tokens, feature)


def encode_texts(encoder: InternVideo, ids: np.ndarray) -> np.ndarray:
    """Text features float32 [N, D] of token ids int32 [N, context]."""
    batches = [
        np.asarray(_encode_texts(encoder, _padded(ids[start : start + BATCH])))
        for start in range(0, len(ids), BATCH)
    ]
    return np.concatenate(batches)[: len(ids)]


def latent_table(model: VCLM, clip_ids: Sequence[str], visual: VisualSource) -> LatentTable:
    """The latents of all clips, from frames or from cached features."""
    run = partial(_latents, model)
    latents = np.concatenate([batch for (batch,) in _batched(run, visual, int)])
    return LatentTable({clip: index for index, clip in enumerate(clip_ids)}, jnp.asarray(latents))


def _batched(
    run: Callable[[np.ndarray], tuple[jax.Array, ...]],
    source: VisualSource,
    progress: Callable[[int], object],
) -> Iterator[tuple[np.ndarray, ...]]:
    """`run` on batches of one size, so that it compiles once; padding is cut off the results."""
    for start in range(0, len(source), BATCH):
        stop = min(start + BATCH, len(source))
        batch = _padded(np.stack([source[clip] for clip in range(start, stop)]))
        yield tuple(np.asarray(array)[: stop - start] for array in run(batch))
        progress(stop - start)


def _padded(batch: np.ndarray) -> np.ndarray:
    return np.concatenate([batch, np.zeros((BATCH - len(batch), *batch.shape[1:]), batch.dtype)])


@on_its_mesh
@jax.jit
def _encode(encoder: InternVideo, frames: jax.Array) -> tuple[jax.Array, jax.Array]:
    tokens, feature = encoder.tokens_and_feature(normalize(frames))
    return constrain(tokens.astype(jnp.float32)), constrain(feature.astype(jnp.float32))


@on_its_mesh
@jax.jit
def _encode_texts(encoder: InternVideo, ids: jax.Array) -> jax.Array:
    return constrain(encoder.text_feature(ids).astype(jnp.float32))


@on_its_mesh
@jax.jit
def _latents(model: VCLM, visual: jax.Array) -> tuple[jax.Array]:
    return (constrain(model.latents(model.features(visual))),)


def unit_length(features: np.ndarray) -> np.ndarray:
    """Features [..., width] scaled to length 1, so that products are cosines; zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(lengths, 1e-12)
