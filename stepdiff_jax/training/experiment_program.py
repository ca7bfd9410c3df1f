"""The program of an experiment: its model, its packed rows, and the run it starts from."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from stepdiff_jax.checkpoint import load_initial
from stepdiff_jax.config import Experiment
from stepdiff_jax.training.abstract import abstract_batch, batch_loss
from stepdiff_jax.training.executable import load_executable
from stepdiff_jax.training.experiment_data import OpenData, open_data
from stepdiff_jax.training.flops import step_flops
from stepdiff_jax.training.program import Program, make_program
from stepdiff_jax.training.run_directory import config_hash, program_hash
from stepdiff_jax.weights.build import build_model


def build_program(
    experiment: Experiment, opened: OpenData | None = None
) -> tuple[Program, Any, Any]:
    """The program, a fresh trained tree and its optimizer state, all on the mesh.

    Args:
        opened: the experiment's data if it is open; None opens it.
    Raises:
        InputError: the mesh, the optimizer, the data or the weights are invalid, or cached features
            come from another encoder.
    """
    mesh, data, caches = open_data(experiment) if opened is None else opened
    model = build_model(experiment, mesh, caches=caches)
    program, trainable, opt_state = make_program(
        experiment.name,
        model,
        experiment.trainable,
        partial(batch_loss, answers=experiment.data.row_answers),
        data,
        optimizer=experiment.optimizer,
        mesh=mesh,
        resampler=dataclasses.asdict(experiment.resampler),
        config_hash=config_hash(experiment),
    )
    program = dataclasses.replace(program, step_flops=step_flops(experiment).useful)
    if experiment.weights.initial_run:
        start = partial(load_initial, Path(experiment.weights.initial_run))
        program = dataclasses.replace(program, start=start)
    return program, trainable, opt_state


def with_executable(program: Program, experiment: Experiment, path: Path, *state: Any) -> Program:
    """The program with its step loaded from a file written by `stepdiff aot --save`.

    Args:
        state: the trained tree and its optimizer state, on the mesh.
    Raises:
        InputError: as `load_executable`.
    """
    arguments = (*state, program.frozen, abstract_batch(experiment, program.mesh))
    step = load_executable(path, arguments, program.step, config_hash=program_hash(experiment))
    return dataclasses.replace(program, step=step)
