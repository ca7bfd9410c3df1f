"""What the processes of a run compare before it starts, to prevent hangs and wrong results."""

import hashlib
from pathlib import Path
from typing import Any

import jax

from stepdiff_jax.config import Experiment
from stepdiff_jax.config_files import flatten, to_dict
from stepdiff_jax.data.records import dataset_digest, dataset_path
from stepdiff_jax.errors import InputError

PACKAGE = Path(__file__).parents[1]


def start_fields(experiment: Experiment, processes: int) -> dict[str, Any]:
    """Everything that must be the same in all processes, by name.

    That is every configuration field, the source code, the JAX version, the configured number of
    processes, and the input files: record sets by the digest of their sources and their size, the
    tokenizer by its content, and weights by their size (checkpoints compare the content of the
    frozen weights through their fingerprint).

    Raises:
        InputError: a record set or the tokenizer is missing.
    """
    data, weights = experiment.data, experiment.weights
    fields = flatten(to_dict(experiment))
    fields |= {"code": source_digest(PACKAGE), "jax": jax.__version__, "processes": processes}
    for kind in ("clips", *sorted(source.name for source in data.sources)):
        fields[f"digest of {kind}"] = dataset_digest(data.directory, kind)[:16]
        fields[f"bytes of {kind}"] = _bytes(dataset_path(data.directory, kind))
    try:
        tokenizer = Path(weights.tokenizer).read_bytes()
    except OSError as error:
        raise InputError(f"{weights.tokenizer}: cannot be read: {error}") from error
    fields["digest of weights.tokenizer"] = hashlib.sha256(tokenizer).hexdigest()[:16]
    for name in ("llama", "encoder"):
        fields[f"bytes of weights.{name}"] = _bytes(Path(getattr(weights, name)))
    return fields


def source_digest(package: Path) -> str:
    """A digest, in 16 hex digits, of the names and content of a package's Python files."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)} {path.stat().st_size} ".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a directory; 0 if it does not exist."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
