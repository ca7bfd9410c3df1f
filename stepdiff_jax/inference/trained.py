"""A model with a run's trained weights, on this machine's devices."""

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import jax
from flax import nnx
from jax.sharding import Mesh

from stepdiff_jax.checkpoint import check_trained, load_trained
from stepdiff_jax.config import Experiment, MeshConfig
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.weights.build import build_model
from stepdiff_jax.weights.fingerprint import fingerprint


def trained_model(
    experiment: Experiment,
    run_directory: Path,
    *,
    caches: Collection[FeatureCache] = (),
    allow_other_frozen_weights: bool = False,
) -> VCLM:
    """An experiment's model with a run's newest trained weights, sharded over all devices.

    Args:
        caches: features that must be of the experiment's encoder.
    Raises:
        InputError: as `build_model` and `with_trained_weights`; first, if the run has no weights of
            such a model.
    """
    _, trainable, _ = split_variables(abstract_model(experiment), experiment.trainable)
    check_trained(run_directory, trainable)
    return with_trained_weights(
        build_model(experiment, inference_mesh(experiment.mesh), caches=caches),
        run_directory,
        experiment.trainable,
        allow_other_frozen_weights=allow_other_frozen_weights,
    )


def inference_mesh(config: MeshConfig) -> Mesh:
    """The mesh of an experiment; if it does not fit the devices, all of them along "fsdp"."""
    try:
        return make_mesh(config)
    except InputError as error:
        print(f"{error}: mesh.fsdp is {jax.device_count()} instead", file=sys.stderr)
        return make_mesh(MeshConfig())


def with_trained_weights(
    model: VCLM,
    run_directory: Path,
    trainable: Sequence[str],
    *,
    allow_other_frozen_weights: bool = False,
) -> VCLM:
    """A new model with the frozen weights of `model` and a run's newest trained weights.

    Args:
        trainable: patterns of the arrays that the run trained, `Experiment.trainable`.
    Raises:
        InputError: the run has no trained weights, trained other arrays, or used other frozen
            weights and this is not allowed.
    """
    graph, fresh, frozen = split_variables(model, trainable)
    wanted = None if allow_other_frozen_weights else fingerprint(frozen)
    trained = load_trained(run_directory, fresh, fingerprint=wanted)
    return nnx.merge(graph, trained, frozen)
