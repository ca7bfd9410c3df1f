"""Runs the encoder and the resampler over many clips, each clip once, on every device."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from stepdiff_jax.data.preprocess import normalize
from stepdiff_jax.data.visual import VisualSource
from stepdiff_jax.inference.clips import LatentTable
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import constrain, mesh_of, on_mesh_of, rules_of, whole_batches

BATCH = 32
"""Clips per batch; more if there are more devices."""

Progress = Callable[[int], object]


def encode_clips(
    encoder: InternVideo, frames: VisualSource, *, progress: Progress = int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Tokens and pooled feature of each clip, in order.

    Args:
        frames: uint8 [T, S, S, 3] by clip index.
        progress: called after each batch with its number of clips.
    Yields:
        (tokens float32 [T * patches, C], feature float32 [D]).
    """
    for tokens, feature in _batched(partial(_encode, encoder), encoder, frames, progress):
        yield from zip(tokens, feature)


def encode_texts(encoder: InternVideo, ids: np.ndarray) -> np.ndarray:
    """Text features float32 [N, D] of token ids int32 [N, context]."""
    batches = [
        np.asarray(_encode_texts(encoder, _padded(ids[start : start + BATCH])))
        for start in range(0, len(ids), BATCH)
    ]
    return np.concatenate(batches)[: len(ids)]


def latent_table(
    model: VCLM, clip_ids: Sequence[str], visual: VisualSource, *, progress: Progress = int
) -> LatentTable:
    """The latents of all clips, from frames or from cached features.

    They are kept in host memory, in the language model's dtype: at 70B, 0.5 MB per clip.

    Args:
        progress: as for `encode_clips`.
    """
    width, dtype = model.llama.config.width, jnp.dtype(model.llama.config.dtype)
    count = model.resampler.initial_latents.shape[0]
    latents = np.zeros((len(clip_ids), count, width), dtype)
    start = 0
    for (batch,) in _batched(partial(_latents, model), model.encoder, visual, progress):
        latents[start : start + len(batch)] = batch
        start += len(batch)
    return LatentTable({clip: index for index, clip in enumerate(clip_ids)}, latents)


def unit_length(features: np.ndarray) -> np.ndarray:
    """Features [..., width] scaled to length 1, so that products are cosines; zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(lengths, 1e-12)


def _batched(
    run: Callable[[jax.Array | np.ndarray], tuple[jax.Array, ...]],
    encoder: InternVideo,
    source: VisualSource,
    progress: Progress,
) -> Iterator[tuple[np.ndarray, ...]]:
    """`run` on batches of one size, so that it compiles once; padding is cut off the results.

    Each process reads only the clips that its own devices encode.
    """
    mesh, size = mesh_of(encoder), whole_batches(encoder, BATCH)
    sharding = None if mesh is None else NamedSharding(mesh, rules_of(mesh).spec(("rows",)))
    # An array of clips is a source, too, but its shape is that of all clips.
    shape = source.shape[1:] if isinstance(source, np.ndarray) else source.shape
    for start in range(0, len(source), size):
        clips = range(start, min(start + size, len(source)))
        read = partial(_read, source, clips, (size, *shape))
        batch = (
            read((slice(None),))
            if sharding is None
            else jax.make_array_from_callback((size, *shape), sharding, read)
        )
        yield tuple(np.asarray(array)[: len(clips)] for array in run(batch))
        progress(len(clips))


def _read(
    source: VisualSource,
    clips: range,
    shape: tuple[int, ...],
    index: tuple[slice, ...] | None,
) -> np.ndarray:
    """Some rows of a batch of clips of a shape; those after the last clip are zeros."""
    rows = range(shape[0])[index[0] if index else slice(None)]
    batch = np.zeros((len(rows), *shape[1:]), source.dtype)
    for place, row in enumerate(rows):
        if row < len(clips):
            batch[place] = source[clips[row]]
    return batch


def _padded(batch: np.ndarray) -> np.ndarray:
    return np.concatenate([batch, np.zeros((BATCH - len(batch), *batch.shape[1:]), batch.dtype)])


@on_mesh_of(lambda encoder: encoder)
@jax.jit
def _encode(encoder: InternVideo, frames: jax.Array) -> tuple[jax.Array, jax.Array]:
    tokens, feature = encoder.tokens_and_feature(normalize(frames))
    return constrain(tokens.astype(jnp.float32)), constrain(feature.astype(jnp.float32))


@on_mesh_of(lambda encoder: encoder)
@jax.jit
def _encode_texts(encoder: InternVideo, ids: jax.Array) -> jax.Array:
    return constrain(encoder.text_feature(ids).astype(jnp.float32))


@on_mesh_of(lambda model: model.encoder)
@jax.jit
def _latents(model: VCLM, visual: jax.Array) -> tuple[jax.Array]:
    latents = model.latents(model.features(visual))
    return (constrain(latents.astype(jnp.dtype(model.llama.config.dtype))),)
