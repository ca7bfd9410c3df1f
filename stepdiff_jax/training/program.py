"""What the training loop runs: a compiled step, its batches and the starting weights."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import grain
import jax
from flax import nnx
from jax.sharding import Mesh

from stepdiff_jax.checkpoint import CheckpointMetadata
from stepdiff_jax.config import OptimizerConfig
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.sharding import state_shardings
from stepdiff_jax.training.optimizer import make_optimizer
from stepdiff_jax.training.step import Loss, make_evaluation, make_step
from stepdiff_jax.weights.fingerprint import fingerprint


@dataclasses.dataclass(frozen=True)
class Data:
    """The batches of a training run.

    batches: one per step, in order; the iterator's state is saved in checkpoints.
    put: turns a batch (this process's part) into arrays on the mesh.
    tokens: counts the tokens of the global batch.
    validation: returns the validation batches, if any; the metrics of a batch must then have
        "answer_tokens", by which its loss is weighted.
    """

    batches: grain.IterDataset
    put: Callable[[Any], Any]
    tokens: Callable[[Any], int]
    validation: Callable[[], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Program:
    """What stays the same from step to step.

    frozen: the frozen weights, on the mesh.
    step: as `make_step` describes it.
    evaluate: as `make_evaluation` describes it.
    metadata: what checkpoints must agree with.
    earlier_hashes: values of `metadata.config_hash` that the run's older checkpoints may have.
    start: maps the fresh trained tree and the frozen weights' fingerprint (None: any) to the tree
        that training starts from if there is no checkpoint.
    step_flops: FLOPs of one step over the whole mesh, without rematerialisation; None if unknown.
    """

    name: str
    steps: int
    mesh: Mesh
    data: Data
    frozen: Any
    step: Callable[..., Any]
    evaluate: Callable[..., Any]
    metadata: CheckpointMetadata
    earlier_hashes: tuple[str, ...] = ()
    start: Callable[[Any, str | None], Any] = lambda fresh, _: fresh
    step_flops: float | None = None


def make_program(
    name: str,
    model: nnx.Module,
    trainable: Sequence[str],
    loss: Loss,
    data: Data,
    *,
    optimizer: OptimizerConfig,
    mesh: Mesh,
    resampler: dict[str, int],
    config_hash: str,
) -> tuple[Program, Any, Any]:
    """A program, its trained tree and its optimizer state, all on the mesh.

    Args:
        model: with its arrays on the mesh.
        trainable: patterns of the arrays that are trained.
        resampler, config_hash: as in `CheckpointMetadata`.
    Raises:
        InputError: the optimizer's settings are invalid.
    """
    transformation, schedule = make_optimizer(optimizer)
    graph, trained, frozen = split_variables(model, trainable)
    trained_shardings = state_shardings(trained, mesh)
    opt_shardings = state_shardings(jax.eval_shape(transformation.init, trained), mesh)
    opt_state = jax.jit(transformation.init, out_shardings=opt_shardings)(trained)
    shardings = (trained_shardings, opt_shardings)
    program = Program(
        name=name,
        steps=optimizer.steps,
        mesh=mesh,
        data=data,
        frozen=frozen,
        step=make_step(graph, transformation, schedule, loss, mesh, shardings),
        evaluate=make_evaluation(graph, loss, mesh),
        metadata=CheckpointMetadata(fingerprint(frozen), resampler, config_hash),
    )
    return program, trained, opt_state
