"""Builds the model of an experiment from its weights, and identifies the frozen ones."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.resampler import Resampler
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.models.weights import load_weights


def embedding_rms(llama: Llama) -> float:
    """Root mean square of the token embeddings: the scale that soft tokens start at (ours)."""
    return float(jnp.sqrt(jnp.mean(jnp.square(llama.embedding[...].astype(jnp.float32)))))


def build_model(experiment: Experiment) -> VCLM:
    """Frozen weights from the experiment's files, and a freshly initialised resampler.

    Raises InputError where a file is missing or holds another model.
    """
    # Abstract until the file fills it: the random weights are never made.
    llama = load_weights(
        nnx.eval_shape(lambda: Llama(experiment.llama, rngs=nnx.Rngs(0))),
        experiment.weights.llama,
    )
    encoder = load_weights(
        nnx.eval_shape(lambda: InternVideo(experiment.encoder, rngs=nnx.Rngs(0))),
        experiment.weights.encoder,
    )
    resampler = Resampler(
        experiment.resampler,
        input_width=experiment.encoder.width,
        output_width=experiment.llama.width,
        frames=experiment.encoder.frames,
        output_rms=embedding_rms(llama),
        rngs=nnx.Rngs(experiment.loop.seed),
    )
    return VCLM(encoder, resampler, llama)


def check_features(cache: FeatureCache, encoder: InternVideo) -> None:
    """Raises InputError where cached features were made by another encoder."""
    found, wanted = cache.fingerprint, fingerprint(nnx.state(encoder))
    if found != wanted:
        raise InputError(
            f"{cache.path}: features of another encoder: fingerprint is {found}, the encoder's is "
            f"{wanted}"
        )


def fingerprint(frozen: Any) -> str:
    """16 hex digits of the frozen weights' names, shapes, dtypes and checksums.

    Checksums are taken where the arrays lie, so a sharded 70B model is never gathered.
    """
    digest = hashlib.sha256()
    leaves, _ = jax.tree_util.tree_flatten_with_path(frozen)
    sums = jax.jit(lambda arrays: [_checksum(array) for array in arrays])(
        [leaf for _, leaf in leaves]
    )
    for (path, leaf), total in zip(leaves, sums):
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.shape} {leaf.dtype}".encode())
        digest.update(np.asarray(total).tobytes())
    return digest.hexdigest()[:16]


def _checksum(array: jax.Array) -> jax.Array:
    """Bits of the array summed modulo 2**32: exact, whatever the order and the sharding."""
    unsigned = {4: jnp.uint4, 8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}
    bits = jax.lax.bitcast_convert_type(array, unsigned[jax.dtypes.itemsize_bits(array.dtype)])
    bits = bits.astype(jnp.uint32)
    # The row-major index modulo 2**32, from one index per axis: flattening would gather the shards.
    place, stride = jnp.zeros((), jnp.uint32), 1
    for axis in reversed(range(bits.ndim)):
        index = jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
        place += index * jnp.uint32(stride % 2**32)
        stride *= bits.shape[axis]
    return jnp.sum(bits * (place * jnp.uint32(2654435761) | jnp.uint32(1)), dtype=jnp.uint32)
