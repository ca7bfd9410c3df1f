"""Implements `stepdiff aot`: compile for one slice, or search for one."""

import sys
from pathlib import Path

from stepdiff_jax.aot.report import Fit, compile_for
from stepdiff_jax.aot.search import Found, search
from stepdiff_jax.aot.topology import parse_topology, use_compiler_only
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.executable import save_executable
from stepdiff_jax.training.run_directory import program_hash
from stepdiff_jax.weights.build import check_weight_configs


def run(
    experiment: Experiment, *, topology: str | None, search: str | None, save: Path | None
) -> Fit | Found:
    """Compile an experiment's step for a topology, or search a generation of chips.

    Args:
        save: where to write the executable; only with a topology.
    Raises:
        InputError: both or neither of topology and search; weights that are there have other sizes;
            as `compile_for` and `search`.
    """
    check_weight_configs(experiment)
    if topology is not None and search is None:
        return _compile_one(experiment, topology, save)
    if search is not None and topology is None:
        if save is not None:
            raise InputError("--save requires --topology")
        return _search(experiment, search)
    raise InputError("exactly one of --topology and --search is required")


def _compile_one(experiment: Experiment, topology: str, save: Path | None) -> Fit:
    parse_topology(topology)
    use_compiler_only()
    fit, compiled = compile_for(experiment, topology)
    if save is not None and compiled is not None:
        save_executable(compiled, save, config_hash=program_hash(experiment))
    return fit


def _search(experiment: Experiment, generation: str) -> Found:
    use_compiler_only()
    return search(experiment, generation, lambda line: print(line, file=sys.stderr))
