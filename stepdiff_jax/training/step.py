"""One optimization step. Only the trained tree is differentiated, donated and clipped."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import optax
from flax import nnx
from jax.sharding import Mesh

from stepdiff_jax.compile_options import compile_options
from stepdiff_jax.training.optimizer import learning_rate

Metrics = dict[str, jax.Array]
Loss = Callable[[Any, Any], tuple[jax.Array, Metrics]]
"""Maps (model, batch) to a scalar and figures to log."""


def make_step(
    graph: Any,
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    loss: Loss,
    mesh: Mesh,
    shardings: tuple[Any, Any],
) -> Any:
    """The jitted `step(trainable, opt_state, frozen, batch) -> (trainable, opt_state, metrics)`.

    The buffers of `trainable` and `opt_state` are donated; those of `frozen` never are.

    Args:
        graph: the graph from `nnx.split(model, trainable, frozen)`.
        mesh: the mesh that activations are sharded over; its chips decide the compiler's options.
        shardings: of trainable and opt_state; they stay the same from step to step.
    Returns:
        the function; its metrics are float32 scalars: loss, gradient_norm (before clipping),
        learning_rate and those of `loss`.
    """

    def step(trainable: Any, opt_state: Any, frozen: Any, batch: Any) -> tuple[Any, Any, Metrics]:
        def objective(trainable: Any) -> tuple[jax.Array, Metrics]:
            with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
                return loss(nnx.merge(graph, trainable, frozen), batch)

        (value, figures), gradient = jax.value_and_grad(objective, has_aux=True)(trainable)
        updates, new_opt_state = optimizer.update(gradient, opt_state, trainable)
        metrics = {
            "loss": value,
            "gradient_norm": optax.tree_utils.tree_norm(gradient),
            "learning_rate": learning_rate(opt_state, schedule),
            **figures,
        }
        return optax.apply_updates(trainable, updates), new_opt_state, metrics

    return jax.jit(
        step,
        donate_argnums=(0, 1),
        out_shardings=(*shardings, None),
        compiler_options=compile_options(mesh),
    )


def make_evaluation(graph: Any, loss: Loss, mesh: Mesh) -> Any:
    """The jitted `evaluate(trainable, frozen, batch) -> metrics`, with loss and those of `loss`."""

    @partial(jax.jit, compiler_options=compile_options(mesh))
    def evaluate(trainable: Any, frozen: Any, batch: Any) -> Metrics:
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            value, figures = loss(nnx.merge(graph, trainable, frozen), batch)
        return {"loss": value, **figures}

    return evaluate
