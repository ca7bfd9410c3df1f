"""Implements `stepdiff aot`: compile for one slice, or search for one."""

import sys
from pathlib import Path

from stepdiff_jax.aot.report import Fit, compile_for
from stepdiff_jax.aot.search import Found, search
from stepdiff_jax.aot.topology import parse_topology, use_compiler_only
from stepdiff_jax.bounds import check_bounds
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.training.executable import save_executable
from stepdiff_jax.training.run_directory import program_hash
from stepdiff_jax.weights.build import check_weight_configs


def run(
    experiment: Experiment,
    *,
    topology: str | None,
    search: str | None,
    save: Path | None,
    program: str = "train",
    shape: BatchShape = BatchShape(),  # noqa: B008  (frozen)
) -> Fit | Found:
    """Compile a program of an experiment for a topology, or search a generation of chips.

    Args:
        save: where to write the executable of the training step; only with a topology.
        program, shape: as `compile_for`; a search is for the training step.
    Raises:
        InputError: both or neither of topology and search; what belongs to training is asked of
            another program; weights that are there have other sizes; as `compile_for` and `search`.
    """
    check_bounds(shape, "batch.")
    check_weight_configs(experiment)
    for flag, value in (("--save", save), ("--search", search)):
        if value is not None and program != "train":
            raise InputError(f"{flag} is for --program train, not {program}")
    if topology is not None and search is None:
        return _compile_one(experiment, topology, save, program, shape)
    if search is not None and topology is None:
        if save is not None:
            raise InputError("--save requires --topology")
        return _search(experiment, search)
    raise InputError("exactly one of --topology and --search is required")


def _compile_one(
    experiment: Experiment, topology: str, save: Path | None, program: str, shape: BatchShape
) -> Fit:
    parse_topology(topology)
    use_compiler_only()
    fit, compiled = compile_for(experiment, topology, program, shape)
    if save is not None and compiled is not None:
        save_executable(compiled, save, config_hash=program_hash(experiment))
    return fit


def _search(experiment: Experiment, generation: str) -> Found:
    use_compiler_only()
    return search(experiment, generation, lambda line: print(line, file=sys.stderr))
