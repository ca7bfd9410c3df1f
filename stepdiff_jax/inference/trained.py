"""A model with the trained weights of a run."""

from pathlib import Path

from flax import nnx

from stepdiff_jax.checkpoint import load_trained
from stepdiff_jax.loading.fingerprint import fingerprint
from stepdiff_jax.models.vclm import VCLM, split_variables


def with_trained_weights(
    model: VCLM, run_directory: Path, *, allow_other_frozen_weights: bool = False
) -> VCLM:
    """A new model with the frozen weights of `model` and a run's newest trained weights.

    Raises InputError where the run has none, or trained them with other frozen weights and this is
    not allowed.
    """
    graph, trainable, frozen = split_variables(model)
    wanted = None if allow_other_frozen_weights else fingerprint(frozen)
    trained = load_trained(run_directory, trainable, fingerprint=wanted)
    return nnx.merge(graph, trained, frozen)
