"""Builds the model of an experiment from its weights."""

from collections.abc import Collection
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.chat_file import check_chat_template
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family
from stepdiff_jax.families.common.snapshots import local_snapshot
from stepdiff_jax.models.construct import abstract_model, new_resampler
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import put_whole, state_shardings
from stepdiff_jax.weights.encoder_config import check_encoder_config
from stepdiff_jax.weights.fingerprint import fingerprint
from stepdiff_jax.weights.modules import (
    fill_encoder,
    fill_llama,
    plan_encoder,
    plan_filled_llama,
)
from stepdiff_jax.weights.tensors import Report


def build_model(
    experiment: Experiment,
    mesh: Mesh | None = None,
    *,
    vision_mesh: Mesh | None = None,
    caches: Collection[FeatureCache] = (),
) -> VCLM:
    """Language model and encoder from the experiment's files, with fresh resampler and adapters.

    The encoder is loaded first: it is small, and most mistakes show then.

    Args:
        mesh: the loaded weights are sharded over it while they are read: each process reads and
            holds only the bytes of its own devices. None: all on this process's first device.
            The resampler is made on the default device, then sharded by its rules.
        vision_mesh: the encoder's and the resampler's; by default also `mesh`.
        caches: features that must be of this encoder.
    Raises:
        InputError: a file is missing or holds another model; `trainable` does not fit the model;
            or features are of another encoder.
    """
    model = abstract_model(experiment)
    vision_mesh = vision_mesh or mesh
    weights, seed = experiment.weights, experiment.loop.seed
    plan_filled_llama(model.llama, weights.llama)  # its errors, before the encoder is read
    model.encoder = fill_encoder(model.encoder, experiment.encoder, weights.encoder, vision_mesh)
    for cache in caches:
        check_features(cache, model.encoder)
    model.llama = fill_llama(model.llama, weights.llama, mesh, seed=seed)
    rms = embedding_rms(model.llama)
    model.resampler = new_resampler(experiment, output_rms=rms, rngs=nnx.Rngs(seed))
    if vision_mesh is not None:
        state = nnx.state(model.resampler)
        nnx.update(model.resampler, put_whole(state, state_shardings(state, vision_mesh)))
    return model


def weight_reports(experiment: Experiment) -> dict[str, Report]:
    """Which tensor of which file `build_model` reads for each array, from the headers only.

    Raises InputError as `build_model`.
    """
    weights = experiment.weights
    return {
        "llama": plan_filled_llama(abstract_model(experiment).llama, weights.llama).report(),
        "encoder": plan_encoder(experiment.encoder, weights.encoder).report(),
    }


def check_weight_configs(experiment: Experiment) -> None:
    """Compare the experiment's sizes with the config.json of its weights, where these are there.

    Raises InputError naming the first field that differs, with both values.
    """
    llama = local_snapshot(Path(experiment.weights.llama))
    if experiment.weights.llama and (llama / "config.json").is_file():
        find_family(experiment.llama.family).check_config(llama, experiment.llama)
    if experiment.weights.encoder:
        check_encoder_config(Path(experiment.weights.encoder), experiment.encoder)


def load_tokenizer(experiment: Experiment) -> Tokenizer:
    """The tokenizer of the experiment's language model, with its family's chat template.

    Raises:
        InputError: it cannot be read, is of another family, or has another number of tokens; or the
            chat template in its directory is not the family's.
    """
    tokenizer = Tokenizer(experiment.weights.tokenizer, experiment.llama.family)
    tokenizer.require_vocabulary(experiment.llama.vocabulary_size)
    check_chat_template(tokenizer.path.parent, tokenizer.family)
    return tokenizer


@jax.jit
def _root_mean_square(array: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.mean(jnp.square(array.astype(jnp.float32))))


def embedding_rms(llama: Llama) -> float:
    """Root mean square of the token embeddings: the initial scale of soft tokens (ours)."""
    return float(_root_mean_square(llama.embedding[...]))


def check_features(cache: FeatureCache, encoder: InternVideo) -> None:
    """Raise InputError if the cached features were made by another encoder."""
    found, wanted = cache.fingerprint, fingerprint(nnx.state(encoder))
    if found != wanted:
        raise InputError(
            f"{cache.path}: features of another encoder: fingerprint is {found}, the encoder's is "
            f"{wanted}"
        )
