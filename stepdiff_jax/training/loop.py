"""The training loop. Each iteration evaluates, saves, fetches a batch and takes a step.

This order makes resuming exact: a checkpoint holds the state between two batches.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from stepdiff_jax.bounds import check_bounds
from stepdiff_jax.check_config import check_config
from stepdiff_jax.checkpoint import Checkpoints
from stepdiff_jax.config import CHECKPOINTS, Experiment, LoopConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.local_path import local_path
from stepdiff_jax.training.experiment_program import build_program, with_executable
from stepdiff_jax.training.interruption import Interrupted, watch_signals
from stepdiff_jax.training.preflight import check_training
from stepdiff_jax.training.processes import require_agreement
from stepdiff_jax.training.profile import Profile, Profiler
from stepdiff_jax.training.program import Program
from stepdiff_jax.training.run_directory import claim_run_directory, write_weight_reports
from stepdiff_jax.training.startup import start_fields
from stepdiff_jax.training.telemetry import Telemetry
from stepdiff_jax.training.throughput import Throughput, memory_figures, peak_flops
from stepdiff_jax.training.vote import StopVote
from stepdiff_jax.training.watchdog import Watchdog


def train(
    experiment: Experiment,
    *,
    stop: Callable[[int], bool] = lambda step: False,
    compiled: Path | None = None,
    profile: Profile | None = None,
    allow_other_frozen_weights: bool = False,
    more_steps: bool = False,
) -> Path:
    """Run an experiment, or resume it from its newest complete checkpoint.

    Without a checkpoint, training starts from the weights of `weights.initial_run`, or from a
    fresh resampler. A finished run is left unchanged.

    Args:
        stop: called before each step with the number of steps done; True saves and stops.
        compiled: a step written by `stepdiff aot --save`; None compiles it now.
        profile: steps to trace into the run directory.
        allow_other_frozen_weights: accept trained weights (from this run's checkpoints or
            `weights.initial_run`) that were trained with other frozen weights.
        more_steps: accept a larger `optimizer.steps` than the run was started with; see
            `compare_run_directory`.
    Returns:
        the run directory, with the last checkpoint complete.
    Raises:
        InputError: the configuration, data or weights are invalid; the run directory belongs to
            another experiment or holds another model's checkpoints.
        Interrupted: `stop`, SIGTERM or SIGINT ended it early; everything is saved.
    """
    check_config(experiment)
    require_agreement(lambda processes: start_fields(experiment, processes))
    directory = Path(experiment.loop.run_directory)
    opened, reports = check_training(experiment, more_steps=more_steps)

    def build() -> tuple[Program, Any, Any]:
        earlier = claim_run_directory(directory, experiment, more_steps=more_steps)
        write_weight_reports(directory, reports)
        program, *state = build_program(experiment, opened)
        program = dataclasses.replace(program, earlier_hashes=earlier)
        if compiled is not None:
            program = with_executable(program, experiment, compiled, *state)
        return program, *state

    run(
        build,
        experiment.loop,
        stop=stop,
        profile=profile,
        allow_other_frozen_weights=allow_other_frozen_weights,
    )
    return directory


def run(
    build: Callable[[], tuple[Program, Any, Any]],
    loop: LoopConfig,
    *,
    stop: Callable[[int], bool] = lambda step: False,
    profile: Profile | None = None,
    allow_other_frozen_weights: bool = False,
) -> Any:
    """Run a program in `loop.run_directory`, or resume it from its newest complete checkpoint.

    Args:
        build: makes the program, its fresh trained tree and its optimizer state; called with the
            watchdog running.
        stop, profile, allow_other_frozen_weights: as `train`.
    Returns:
        the trained tree, with the last checkpoint complete.
    Raises:
        InputError: as `train`.
        Interrupted: as `train`.
    """
    check_bounds(loop, "loop.")
    directory = Path(loop.run_directory)
    local_path(directory / CHECKPOINTS)  # fails before anything is created if it cannot be stored
    with (
        watch_signals() as signalled,
        Watchdog(loop.watchdog_seconds) as watchdog,
    ):
        program, trainable, opt_state = build()
        steps, batches = program.steps, iter(program.data.batches)
        wanted = program.metadata
        if allow_other_frozen_weights:
            wanted = dataclasses.replace(wanted, fingerprint=None)
        with Checkpoints(directory / CHECKPOINTS, loop.keep_checkpoints) as checkpoints:
            start = 0
            restored = checkpoints.restore(trainable, opt_state, wanted, program.earlier_hashes)
            if restored is not None:
                start, trainable, opt_state, iterator_state = restored
                batches.set_state(iterator_state)
            else:
                trainable = program.start(trainable, wanted.fingerprint)
            telemetry = Telemetry(
                directory,
                program.name,
                steps=steps,
                restored=start if restored else None,
                wandb_project=loop.wandb_project,
            )
            with telemetry, Profiler(profile, directory) as profiler:
                vote = StopVote(program.mesh)
                device = jax.local_devices()[0]
                throughput = Throughput(
                    devices=program.mesh.size,
                    step_flops=program.step_flops,
                    peak=peak_flops(device.device_kind),
                )
                step = start
                while True:
                    last = step >= steps
                    stopping = not last and vote.ask(stop(step) or signalled())
                    # A restored state has already been evaluated and saved.
                    if step > start or restored is None:
                        with throughput.paused():
                            if loop.evaluate_every and step % loop.evaluate_every == 0:
                                loss = _validation_loss(program, trainable)
                                telemetry.log(step, {"validation_loss": loss})
                            if last or stopping or (step and step % loop.checkpoint_every == 0):
                                checkpoints.save(
                                    step,
                                    trainable,
                                    opt_state,
                                    batches.get_state(),
                                    program.metadata,
                                )
                    if last:
                        return trainable
                    if stopping:
                        raise Interrupted
                    asked = time.perf_counter()
                    batch = next(batches)
                    tokens = program.data.tokens(batch)
                    throughput.add(tokens=tokens, waited=time.perf_counter() - asked)
                    on_mesh = program.data.put(batch)
                    profiler.before(step)
                    with jax.transfer_guard("disallow"):
                        trainable, opt_state, metrics = program.step(
                            trainable, opt_state, program.frozen, on_mesh
                        )
                    step += 1
                    watchdog.beat(step)
                    if step % loop.log_every == 0 or step == steps:
                        figures = {
                            key: float(value) for key, value in jax.device_get(metrics).items()
                        }
                        figures |= throughput.figures() | memory_figures(device)
                        telemetry.log(step, figures)
                    telemetry.advance(step)


def _validation_loss(program: Program, trainable: Any) -> float:
    """Mean loss over validation batches, weighted by their answer tokens."""
    if program.data.validation is None:
        raise InputError(f"loop.evaluate_every: {program.name} has no validation split")
    total = count = 0.0
    for batch in program.data.validation():
        on_mesh = program.data.put(batch)
        metrics = jax.device_get(program.evaluate(trainable, program.frozen, on_mesh))
        tokens = float(metrics["answer_tokens"])
        total, count = total + tokens * float(metrics["loss"]), count + tokens
    return total / count
