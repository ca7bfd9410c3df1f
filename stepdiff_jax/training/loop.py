"""The training program, read from top to bottom: evaluate, save, next batch, step.

The order makes resuming exact: what stands in a checkpoint is the state between two batches.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.pipeline import Batch, training_batches
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.build import build_model, fingerprint
from stepdiff_jax.models.vclm import VCLM, answer_loss, split_variables
from stepdiff_jax.sharding import make_mesh, put_rows, state_shardings
from stepdiff_jax.training.checkpoint import (
    CHECKPOINTS,
    CheckpointMetadata,
    Checkpoints,
    load_trained,
)
from stepdiff_jax.training.interruption import Interrupted, watch_signals
from stepdiff_jax.training.optimizer import make_optimizer
from stepdiff_jax.training.run_directory import claim_run_directory, config_hash
from stepdiff_jax.training.step import make_evaluation, make_step
from stepdiff_jax.training.telemetry import Telemetry, Throughput

VALIDATION_BATCHES = 8
"""Batches of the validation split that a validation loss is taken over, always the same (ours)."""


def train(experiment: Experiment, *, stop: Callable[[int], bool] = lambda step: False) -> Path:
    """Run an experiment, or go on with it from its newest complete checkpoint.

    Where there is none, training starts from the weights of `weights.initial_run`, or from a fresh
    resampler. A finished run is left as it is.

    Args:
        stop: asked with the number of steps done before each next one; True saves and stops.
    Returns:
        the run directory, with the last checkpoint complete.
    Raises:
        InputError: bad configuration, data or weights; the run directory holds another experiment
            or checkpoints of another model.
        Interrupted: `stop`, SIGTERM or SIGINT ended it early; everything is saved.
    """
    config, loop = experiment, experiment.loop
    _check_cadence(experiment)
    directory = Path(loop.run_directory)
    claim_run_directory(directory, experiment)

    mesh = make_mesh(config.mesh)
    optimizer, schedule = make_optimizer(config.optimizer)
    graph, trainable, frozen = split_variables(build_model(experiment))
    frozen = jax.device_put(frozen, state_shardings(frozen, mesh))
    trainable = jax.device_put(trainable, state_shardings(trainable, mesh))
    opt_shardings = state_shardings(jax.eval_shape(optimizer.init, trainable), mesh)
    opt_state = jax.jit(optimizer.init, out_shardings=opt_shardings)(trainable)
    metadata = CheckpointMetadata(
        fingerprint=fingerprint(frozen),
        resampler=dataclasses.asdict(config.resampler),
        config_hash=config_hash(experiment),
    )
    loss = partial(batch_loss, answers=config.data.row_answers)
    step_once = make_step(
        graph, optimizer, schedule, loss, (state_shardings(trainable, mesh), opt_shardings)
    )
    batches = iter(_batches(experiment, config.data.split))

    with Checkpoints(directory / CHECKPOINTS, loop.keep_checkpoints) as checkpoints:
        restored = checkpoints.restore(trainable, opt_state, metadata)
        if restored is not None:
            start, trainable, opt_state, iterator_state = restored
            batches.set_state(iterator_state)
        else:
            start = 0
            if config.weights.initial_run:
                trainable = load_trained(
                    Path(config.weights.initial_run),
                    trainable,
                    fingerprint=metadata.fingerprint,
                )
        validate = _validation(experiment, graph, loss, mesh)
        throughput = Throughput()
        with (
            watch_signals() as signalled,
            Telemetry(
                directory,
                name=config.name,
                steps=config.optimizer.steps,
                restored=None if restored is None else start,
            ) as telemetry,
        ):
            for step in itertools.count(start):
                last = step >= config.optimizer.steps
                stopping = not last and (signalled() or stop(step))
                if restored is None or step > start:
                    if loop.evaluate_every and step % loop.evaluate_every == 0:
                        telemetry.log(step, {"validation_loss": validate(trainable, frozen)})
                    if last or stopping or (step and step % loop.checkpoint_every == 0):
                        checkpoints.save(step, trainable, opt_state, batches.get_state(), metadata)
                if last:
                    break
                if stopping:
                    raise Interrupted
                asked = time.perf_counter()
                batch = next(batches)
                throughput.add(tokens=_tokens(batch), waited=time.perf_counter() - asked)
                with jax.transfer_guard("disallow"):
                    on_mesh = put_rows(batch, mesh)
                    trainable, opt_state, metrics = step_once(
                        trainable, opt_state, frozen, on_mesh
                    )
                if (step + 1) % loop.log_every == 0 or step + 1 == config.optimizer.steps:
                    figures = {key: float(value) for key, value in jax.device_get(metrics).items()}
                    telemetry.log(step + 1, figures | throughput.figures())
                telemetry.advance(step + 1)
    return directory


def batch_loss(
    model: VCLM, batch: Batch, *, answers: int
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """`answer_loss` of one batch of the pipeline."""
    return answer_loss(model, batch.rows, batch.visual, answers)


def _batches(experiment: Experiment, split: str) -> Any:
    """The rows of every global batch that this process reads."""
    return training_batches(
        dataclasses.replace(experiment.data, split=split),
        Tokenizer(experiment.weights.tokenizer),
        experiment.encoder,
        experiment.resampler.latents,
        seed=experiment.loop.seed,
        shard=jax.process_index(),
        shards=jax.process_count(),
    )


def _tokens(batch: Batch) -> int:
    """Tokens of the global batch, padding left out; other processes' parts count as this one's."""
    return int(np.count_nonzero(batch.rows.segment)) * jax.process_count()


def _validation(
    experiment: Experiment, graph: Any, loss: Any, mesh: Mesh
) -> Callable[[Any, Any], float]:
    """From (trainable, frozen) to the mean loss of an answer token of the validation split."""
    evaluate = make_evaluation(graph, loss)

    def validate(trainable: Any, frozen: Any) -> float:
        total = count = 0.0
        for batch in itertools.islice(_batches(experiment, "validation"), VALIDATION_BATCHES):
            metrics = jax.device_get(evaluate(trainable, frozen, put_rows(batch, mesh)))
            total += float(metrics["loss"]) * float(metrics["answer_tokens"])
            count += float(metrics["answer_tokens"])
        return total / count

    return validate


def _check_cadence(experiment: Experiment) -> None:
    """Raise InputError for an interval that is no number of steps, before anything is made."""
    for name, least in (("checkpoint_every", 1), ("log_every", 1), ("evaluate_every", 0)):
        value = getattr(experiment.loop, name)
        if value < least:
            raise InputError(f"loop.{name} must be at least {least}, got {value}")
