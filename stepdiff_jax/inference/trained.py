"""A model with a run's trained weights, on this machine's devices."""

from collections.abc import Collection, Sequence
from pathlib import Path

from flax import nnx

from stepdiff_jax.checkpoint import check_trained, load_trained
from stepdiff_jax.config import INFERENCE_MESH, Experiment, MeshConfig
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.inference.mesh import inference_meshes
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.weights.build import build_model
from stepdiff_jax.weights.fingerprint import fingerprint


def trained_model(
    experiment: Experiment,
    run_directory: Path,
    mesh: MeshConfig = INFERENCE_MESH,
    *,
    caches: Collection[FeatureCache] = (),
    allow_other_frozen_weights: bool = False,
) -> VCLM:
    """An experiment's model with a run's newest trained weights, laid out for inference.

    Args:
        mesh: the devices that it is laid out on; the experiment's own mesh is for training.
        caches: features that must be of the experiment's encoder.
    Raises:
        InputError: as `untrained_model` and `with_trained_weights`; first, if the run has no
            weights of such a model.
    """
    _, trainable, _ = split_variables(abstract_model(experiment), experiment.trainable)
    check_trained(run_directory, trainable)
    return with_trained_weights(
        untrained_model(experiment, mesh, caches=caches),
        run_directory,
        experiment.trainable,
        allow_other_frozen_weights=allow_other_frozen_weights,
    )


def untrained_model(
    experiment: Experiment,
    mesh: MeshConfig = INFERENCE_MESH,
    *,
    caches: Collection[FeatureCache] = (),
) -> VCLM:
    """An experiment's model with a fresh resampler, laid out for inference over all devices.

    Args:
        mesh, caches: as for `inference_meshes` and `build_model`, as are the errors.
    """
    meshes = inference_meshes(experiment, mesh)
    return build_model(experiment, meshes.language, vision_mesh=meshes.vision, caches=caches)


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
