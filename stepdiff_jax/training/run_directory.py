"""The configuration in a run directory: written at the start, compared on resuming."""

import hashlib
import json
import sys
from pathlib import Path

import jax

from stepdiff_jax.checkpoint import CHECKPOINTS
from stepdiff_jax.config import Experiment
from stepdiff_jax.config_files import CONFIG_FILE, flatten, read_experiment, to_dict
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_json
from stepdiff_jax.jsonl import shorten
from stepdiff_jax.weights.build import weight_reports

WEIGHTS_FILE = "weights.json"
"""The file in a run directory that records which tensors of which files were loaded."""

FREE = (
    "loop.run_directory",
    "loop.checkpoint_every",
    "loop.keep_checkpoints",
    "loop.log_every",
    "loop.evaluate_every",
    "loop.watchdog_seconds",
    "loop.wandb_project",
    "data.validation_split",
    "data.prefetch_threads",
    "mesh.",
)
"""Fields that may change when a run resumes: how it is monitored and what it runs on, not what it
computes. A name ending in a dot stands for all fields below it."""

ADDED = ("llama.family", "llama.rope_scaling.", "llama.lora.", "trainable")
"""Fields that older runs did not have, named as in `FREE`. They are left out of the hash while they
have their defaults, so that the hash of an older run stays the same."""


def config_hash(experiment: Experiment) -> str:
    """SHA-256 of what a run computes: the configuration without the fields in `FREE`."""
    defaults = flatten(to_dict(Experiment("")))
    fixed = {
        key: value
        for key, value in flatten(to_dict(experiment)).items()
        if not _is_among(key, FREE) and not (_is_among(key, ADDED) and value == defaults[key])
    }
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()


def program_hash(experiment: Experiment) -> str:
    """SHA-256 of what a compiled step depends on: `config_hash` and the mesh."""
    mesh = json.dumps(to_dict(experiment)["mesh"], sort_keys=True)
    return hashlib.sha256(f"{config_hash(experiment)} {mesh}".encode()).hexdigest()


def claim_run_directory(directory: Path, experiment: Experiment) -> None:
    """Write `config.json`; if there are checkpoints, first compare it with the existing one.

    Raises:
        InputError: the directory belongs to another experiment (a field not in `FREE` differs),
            or its config.json cannot be read.
    """
    path = directory / CONFIG_FILE
    if path.exists() and any((directory / CHECKPOINTS).glob("[0-9]*")):
        _compare(path, experiment)
    if jax.process_index() == 0:
        write_json(path, to_dict(experiment), indent=2)


def write_weight_reports(directory: Path, experiment: Experiment) -> None:
    """Write `weights.json`, with a row per loaded tensor, and print a line per model.

    Raises InputError, before any weights are read, if a file is missing or holds another model.
    """
    reports = weight_reports(experiment)
    if jax.process_index() == 0:
        table = {name: report.to_json() for name, report in reports.items()}
        write_json(directory / WEIGHTS_FILE, table, indent=1)
        for report in reports.values():
            print(report.summary(), file=sys.stderr)


def _compare(path: Path, experiment: Experiment) -> None:
    # A field missing from the stored configuration has its default.
    stored = flatten(to_dict(read_experiment(path.parent)))
    wanted = flatten(to_dict(experiment))
    for key in sorted(stored.keys()):
        if not _is_among(key, FREE) and stored[key] != wanted[key]:
            raise InputError(
                f"{path}: this run was started with {key} = {shorten(stored[key])}, not "
                f"{shorten(wanted[key])}; choose another loop.run_directory"
            )


def _is_among(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or (name.endswith(".") and key.startswith(name)) for name in names)
