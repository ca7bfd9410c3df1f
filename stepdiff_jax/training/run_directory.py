"""The configuration in a run directory: written at the start, compared on resuming."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import jax

from stepdiff_jax.config import CHECKPOINTS, Experiment
from stepdiff_jax.config_files import CONFIG_FILE, flatten, read_experiment, to_dict
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_json
from stepdiff_jax.jsonl import shorten
from stepdiff_jax.weights.tensors import Report

WEIGHTS_FILE = "weights.json"
"""The file in a run directory that records which tensors of which files were loaded."""

EARLIER_FILE = "earlier.json"
"""The file in a run directory that records earlier values of `optimizer.steps`."""

STEPS = "optimizer.steps"

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


def compare_run_directory(
    directory: Path, experiment: Experiment, *, more_steps: bool = False
) -> tuple[int, ...]:
    """Compare an experiment with that of a run directory, if there are checkpoints in it.

    `optimizer.steps` may be larger than before if the learning rate is constant after the warm-up
    (`optimizer.final_fraction` 1) or `more_steps` is true: the cosine decay depends on the number
    of steps, so the rate then jumps to that of the longer curve (ours).

    Returns:
        the values of `optimizer.steps` that the run had before.
    Raises:
        InputError: the directory belongs to another experiment (a field not in `FREE` differs),
            or one of its files cannot be read.
    """
    path = directory / CONFIG_FILE
    if not path.exists() or not any((directory / CHECKPOINTS).glob("[0-9]*")):
        return ()
    # A field missing from the stored configuration has its default.
    stored = flatten(to_dict(read_experiment(directory)))
    wanted = flatten(to_dict(experiment))
    earlier = set(_earlier_steps(directory))
    for key in sorted(stored.keys()):
        if _is_among(key, FREE) or stored[key] == wanted[key]:
            continue
        changed = f"{key} = {shorten(stored[key])}, not {shorten(wanted[key])}"
        advice = "choose another loop.run_directory"
        if key == STEPS and wanted[key] > stored[key]:
            if more_steps or experiment.optimizer.final_fraction == 1:
                earlier.add(stored[key])
                continue
            advice = "--more-steps accepts it: the learning rate then follows the longer curve"
        raise InputError(f"{path}: this run was started with {changed}; {advice}")
    return tuple(sorted(earlier - {experiment.optimizer.steps}))


def claim_run_directory(
    directory: Path, experiment: Experiment, *, more_steps: bool = False
) -> tuple[str, ...]:
    """Write `config.json`, after `compare_run_directory`.

    Returns:
        the values of `config_hash` that the run had before, with fewer steps.
    """
    earlier = compare_run_directory(directory, experiment, more_steps=more_steps)
    if jax.process_index() == 0:
        if earlier:
            # First this file: a run that is killed in between still knows all its values.
            write_json(directory / EARLIER_FILE, {STEPS: earlier})
            print(
                f"{directory}: {STEPS} is {experiment.optimizer.steps}, was {max(earlier)}",
                file=sys.stderr,
            )
        write_json(directory / CONFIG_FILE, to_dict(experiment), indent=2)
    return tuple(
        config_hash(replace(experiment, optimizer=replace(experiment.optimizer, steps=steps)))
        for steps in earlier
    )


def write_weight_reports(directory: Path, reports: Mapping[str, Report]) -> None:
    """Write `weights.json`, with a row per loaded tensor, and print a line per model."""
    if jax.process_index() == 0:
        table = {name: report.to_json() for name, report in reports.items()}
        write_json(directory / WEIGHTS_FILE, table, indent=1)
        for report in reports.values():
            print(report.summary(), file=sys.stderr)


def _earlier_steps(directory: Path) -> list[int]:
    path = directory / EARLIER_FILE
    try:
        return [int(steps) for steps in json.loads(path.read_text())[STEPS]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _is_among(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or (name.endswith(".") and key.startswith(name)) for name in names)
