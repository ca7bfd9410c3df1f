"""What answers depend on: those of an interrupted evaluation are kept if it is the same."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.config import CHECKPOINTS, Experiment
from stepdiff_jax.config_files import CONFIG_FILE, flatten, to_dict

MODEL_FIELDS = ("encoder.", "llama.", "resampler.", "data.directory", "data.visual_input", "name")
"""Fields of an experiment that answers depend on; a name ending in a dot stands for all below."""


def experiment_fields(experiment: Experiment) -> dict[str, Any]:
    """The fields of an experiment that a system's answers depend on, flattened."""
    return {
        name: value
        for name, value in flatten(to_dict(experiment)).items()
        if any(name == one or (one.endswith(".") and name.startswith(one)) for one in MODEL_FIELDS)
    }


def listing_digest(path: Path) -> str:
    """A digest, in 16 hex digits, of the names, sizes and times of change of a path's files.

    Their content is not read, which takes minutes at 70B. "absent" if there is nothing. Of a run
    directory only the checkpoints count: evaluations write to it.
    """
    if (path / CONFIG_FILE).is_file() and (path / CHECKPOINTS).is_dir():
        path = path / CHECKPOINTS
    if not path.exists():
        return "absent"
    digest = hashlib.sha256()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for file in files:
        state = file.stat()
        name = os.fsencode(file.relative_to(path))
        digest.update(b"%s %d %d\n" % (name, state.st_size, state.st_mtime_ns))
    return digest.hexdigest()[:16]


def named_paths(options: Any) -> tuple[Path, ...]:
    """The files and directories that the fields of a dataclass name, if they exist."""
    values = (str(getattr(options, field.name)) for field in dataclasses.fields(options))
    return tuple(Path(value) for value in values if value and _exists(value))


def listing_digests(paths: Iterable[Path]) -> dict[str, str]:
    """Path -> `listing_digest`."""
    return {str(path): listing_digest(path) for path in paths}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The name of the first field in which two identities differ; empty if they are equal."""
    first, second = flatten(before), flatten(after)
    names = sorted(first.keys() | second.keys())
    return next((name for name in names if first.get(name) != second.get(name)), "")


def _exists(value: str) -> bool:
    try:
        return Path(value).exists()
    except (OSError, ValueError):  # too long for a name, or a null byte
        return False
