"""What a run computes with: the model on the mesh, the compiled step, and where training starts."""

import dataclasses
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grain
import jax
from jax.sharding import Mesh

from stepdiff_jax.checkpoint import CheckpointMetadata
from stepdiff_jax.config import Experiment
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.pipeline import Batch, training_batches
from stepdiff_jax.models.vclm import split_variables
from stepdiff_jax.sharding import data_shard, make_mesh, put_rows, state_shardings
from stepdiff_jax.training.abstract import abstract_batch, batch_loss
from stepdiff_jax.training.executable import load_executable
from stepdiff_jax.training.optimizer import make_optimizer
from stepdiff_jax.training.run_directory import config_hash, program_hash
from stepdiff_jax.training.step import make_evaluation, make_step
from stepdiff_jax.weights.build import build_model, check_features, load_tokenizer
from stepdiff_jax.weights.fingerprint import fingerprint

VALIDATION_BATCHES = 8
"""Batches of the validation split that a validation loss is taken over, always the same (ours)."""


@dataclasses.dataclass(frozen=True)
class Program:
    """What stays the same from step to step.

    frozen: the frozen weights, on the mesh.
    step: as `make_step` describes it.
    evaluate: as `make_evaluation` describes it.
    metadata: what checkpoints must agree with.
    """

    mesh: Mesh
    frozen: Any
    step: Callable[..., Any]
    evaluate: Callable[..., Any]
    metadata: CheckpointMetadata


def with_executable(program: Program, experiment: Experiment, path: Path, *state: Any) -> Program:
    """The program with its step read from a file that `stepdiff aot --save` wrote.

    Args:
        state: the trained tree and its optimizer's state, on the mesh.
    Raises:
        InputError: as `load_executable`.
    """
    arguments = (*state, program.frozen, abstract_batch(experiment, program.mesh))
    step = load_executable(path, arguments, program.step, config_hash=program_hash(experiment))
    return dataclasses.replace(program, step=step)


def build_program(experiment: Experiment) -> tuple[Program, Any, Any]:
    """The program, a fresh trained tree, and its optimizer's state, all on the mesh.

    Raises:
        InputError: of the mesh, the optimizer or the weights; cached features of another encoder.
    """
    mesh = make_mesh(experiment.mesh)
    optimizer, schedule = make_optimizer(experiment.optimizer)
    model = build_model(experiment, mesh)
    if experiment.data.visual_input == "features":
        cache = FeatureCache.open(experiment.data.directory, experiment.data.split)
        check_features(cache, model.encoder)
    graph, trainable, frozen = split_variables(model)
    trained_shardings = state_shardings(trainable, mesh)
    opt_shardings = state_shardings(jax.eval_shape(optimizer.init, trainable), mesh)
    opt_state = jax.jit(optimizer.init, out_shardings=opt_shardings)(trainable)
    loss = partial(batch_loss, answers=experiment.data.row_answers)
    program = Program(
        mesh=mesh,
        frozen=frozen,
        step=make_step(graph, optimizer, schedule, loss, mesh, (trained_shardings, opt_shardings)),
        evaluate=make_evaluation(graph, loss, mesh),
        metadata=CheckpointMetadata(
            fingerprint=fingerprint(frozen),
            resampler=dataclasses.asdict(experiment.resampler),
            config_hash=config_hash(experiment),
        ),
    )
    return program, trainable, opt_state


def read_batches(experiment: Experiment, split: str, mesh: Mesh) -> grain.IterDataset[Batch]:
    """The rows of every global batch of a split that this process's devices hold."""
    shard, shards = data_shard(mesh)
    return training_batches(
        dataclasses.replace(experiment.data, split=split),
        load_tokenizer(experiment),
        experiment.encoder,
        experiment.resampler.latents,
        seed=experiment.loop.seed,
        shard=shard,
        shards=shards,
    )


def validation_loss(experiment: Experiment, program: Program, trainable: Any) -> float:
    """Mean over batches of the validation split, weighted by their answer tokens."""
    total = count = 0.0
    batches = read_batches(experiment, "validation", program.mesh)
    for batch in itertools.islice(batches, VALIDATION_BATCHES):
        on_mesh = put_rows(batch, program.mesh)
        metrics = jax.device_get(program.evaluate(trainable, program.frozen, on_mesh))
        tokens = float(metrics["answer_tokens"])
        total, count = total + tokens * float(metrics["loss"]), count + tokens
    return total / count
