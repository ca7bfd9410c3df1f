"""Constructs an experiment's model."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from stepdiff_jax.config import EncoderConfig, Experiment, LlamaConfig, ResamplerConfig
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.resampler import Resampler
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.trainable import check_trainable, is_trained, last_layers


def new_model(experiment: Experiment, *, rngs: nnx.Rngs) -> VCLM:
    """The experiment's model with random weights, laid out as `trainable` requires."""
    last = last_layers(experiment.trainable, experiment.llama.layers)
    return VCLM(
        InternVideo(experiment.encoder, rngs=rngs),
        new_resampler(experiment, rngs=rngs),
        Llama(experiment.llama, last_layers=last, rngs=rngs),
    )


def new_resampler(experiment: Experiment, *, output_rms: float = 1.0, rngs: nnx.Rngs) -> Resampler:
    """The experiment's resampler with random weights; `output_rms` as in `Resampler`."""
    return Resampler(
        experiment.resampler,
        input_width=experiment.encoder.width,
        output_width=experiment.llama.width,
        frames=experiment.encoder.frames,
        output_rms=output_rms,
        rngs=rngs,
    )


@lru_cache(maxsize=8)
def _traced(
    encoder: EncoderConfig,
    resampler: ResamplerConfig,
    llama: LlamaConfig,
    trainable: tuple[str, ...],
) -> tuple[Any, Any, Any]:
    """The model's graph, and its shapes as leaves with paths and their tree; traced once."""
    experiment = Experiment("", encoder, llama, resampler, trainable=trainable)
    graph, state = nnx.split(nnx.eval_shape(lambda: new_model(experiment, rngs=nnx.Rngs(0))))
    return graph, *jax.tree_util.tree_flatten_with_path(state)


def abstract_model(experiment: Experiment) -> VCLM:
    """The experiment's model with every array as a `jax.ShapeDtypeStruct`.

    Trained arrays are float32 regardless of `llama.dtype`, and cast where they are used (ours): the
    change per step is below bfloat16 resolution.

    Raises:
        InputError: `trainable` or `llama.lora` does not fit the model.
    """
    parts = (experiment.encoder, experiment.resampler, experiment.llama)
    graph, leaves, structure = _traced(*parts, experiment.trainable)
    named = {".".join(str(key.key) for key in path[:-1]): leaf for path, leaf in leaves}
    check_trainable(experiment.trainable, named)
    trained = is_trained(experiment.trainable)
    typed = [
        jax.ShapeDtypeStruct(leaf.shape, jnp.float32) if trained(name) else leaf
        for name, leaf in named.items()
    ]
    return nnx.merge(graph, jax.tree.unflatten(structure, typed))
