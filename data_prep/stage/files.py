"""The files of a stage: its journal and its summary; ours."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from data_prep.schema.line import Row
from data_prep.schema.stages import Origin
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_json, write_text
from stepdiff_jax.jsonl import shorten

Entry = tuple[bool, Row]
"""Whether a row was rejected, and its result or its quarantine line."""


def origin_of(rows: Sequence[Row], settings: Mapping[str, Any]) -> Origin:
    """What a stage's output depends on; part of its summary."""
    return Origin(json.loads(json.dumps(settings)), digest_of(rows))


def read_summary(path: Path, origin: Origin) -> dict[str, Any] | None:
    """The summary of a finished stage; None if it is not finished.

    Raises:
        InputError: the existing output was made with other settings or from other input.
    """
    if not path.exists():
        return None
    found = read_object(path, path.read_text(encoding="utf-8"))
    _require_same(path, found, origin)
    return found


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a stage's summary atomically."""
    write_json(path, summary, indent=2)


def read_journal(path: Path, origin: Origin) -> dict[str, Entry]:
    """Finished rows of an interrupted run; the last line may be truncated."""
    if not path.exists():
        return {}
    header, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    _require_same(path, read_object(path, header), origin)
    done: dict[str, Entry] = {}
    with suppress(ValueError):
        for line in lines:
            name, rejected, row = json.loads(line)
            done[name] = (rejected, row)
    return done


def write_journal(path: Path, origin: Origin, done: Mapping[str, Entry]) -> None:
    """Rewrite the journal without a truncated last line; atomic, so that a kill loses nothing."""
    lines = [origin.row(), *([name, *entry] for name, entry in done.items())]
    write_text(path, "".join(f"{json.dumps(line)}\n" for line in lines))


def require_same_settings(path: Path, found: Row, origin: Origin) -> None:
    """Raise InputError if the file at `path` was made with other settings."""
    made, wanted = Origin.of(found).settings, origin.settings
    for name in sorted(made.keys() | wanted.keys()):
        if made.get(name) != wanted.get(name):
            raise InputError(
                f"{path}: was made with {name} = {shorten(made.get(name))}, not "
                f"{shorten(wanted.get(name))}; choose another destination, or delete it"
            )


def _require_same(path: Path, found: Row, origin: Origin) -> None:
    """Raise InputError if the file at `path` was made with other settings or from other input."""
    require_same_settings(path, found, origin)
    if Origin.of(found).input != origin.input:
        raise InputError(
            f"{path}: was made from other input; choose another destination, or delete it"
        )


def read_object(path: Path, text: str) -> Row:
    """The JSON object in a stage's file; raises InputError if it is not JSON."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from error
    return value if isinstance(value, dict) else {}


def digest_of(rows: Sequence[Row]) -> str:
    """Digest of input rows, 16 hex digits."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()[:16]
