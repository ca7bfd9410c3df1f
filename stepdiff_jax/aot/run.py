"""What `stepdiff aot` does with its options."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.aot.report import compile_for, describe
from stepdiff_jax.aot.search import search
from stepdiff_jax.aot.topology import parse_topology, use_compiler_only
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.executable import save_executable
from stepdiff_jax.training.run_directory import program_hash


@dataclass(frozen=True)
class Request:
    """As the options of `stepdiff aot`."""

    experiment: Experiment
    topology: str | None
    search: str | None
    json: bool
    save: Path | None


def run(request: Request) -> str:
    """Compile what was asked for; returns what is to be printed.

    Raises:
        InputError: not exactly one of topology and search; as `compile_for` and `search`.
    """
    if (request.topology is None) == (request.search is None):
        raise InputError("--topology or --search is needed, and only one of them")
    if request.topology is not None:
        parse_topology(request.topology)
        use_compiler_only()
        return _compile_one(request, request.topology)
    if request.save is not None:
        raise InputError("--save goes with --topology")
    use_compiler_only()
    return _search(request, str(request.search))


def _compile_one(request: Request, topology: str) -> str:
    fit, compiled = compile_for(request.experiment, topology)
    if request.save is not None and compiled is not None:
        save_executable(compiled, request.save, config_hash=program_hash(request.experiment))
    return json.dumps(fit.to_json()) if request.json else describe(fit)


def _search(request: Request, generation: str) -> str:
    found = search(request.experiment, generation, lambda line: print(line, file=sys.stderr))
    if request.json:
        pair = {"smallest": found.smallest.to_json(), "largest": found.largest.to_json()}
        return json.dumps(pair)
    return (
        f"smallest slice: {found.smallest.topology} ({found.smallest.chips} chips); "
        f"largest batch on it: {found.largest.rows} rows\n\n{describe(found.largest)}"
    )
