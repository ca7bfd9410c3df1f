"""The file of settings of `stepdiff prep all`: TOML, one table for each stage."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten

POSITIONAL = {"features": "config", "validate": "file"}
"""Stages whose command has an argument without a flag -> its key."""


def read_settings(path: Path, stages: Mapping[str, Any]) -> dict[str, list[str]]:
    """Stage -> the arguments of its command, in the order of `stages`.

    A key is a flag of the stage, with - or _. A list gives several values, true or false the flag
    or its --no- form, and a table the flags that begin with its name and a dot.

    Raises:
        InputError: the file cannot be read or is not TOML, a table is no stage, or a value is of
            another type.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML: {error}") from error
    for name, table in found.items():
        if name not in stages:
            raise InputError(f"{path}: [{name}]: no such stage; known: {', '.join(stages)}")
        if not isinstance(table, dict):
            raise InputError(f"{path}: {name} must be a table [{name}], got {shorten(table)}")
    if not found:
        raise InputError(f"{path}: has no stage; known: {', '.join(stages)}")
    return {
        name: _arguments(f"{path}: [{name}]", name, found[name]) for name in stages if name in found
    }


def _arguments(where: str, name: str, table: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    key = POSITIONAL.get(name)
    if key is not None:
        value = table.get(key)
        if not isinstance(value, str):
            raise InputError(f"{where}: field {key!r} must be a string, got {shorten(value)}")
        words.append(value)
        table = {other: value for other, value in table.items() if other != key}
    return [*words, *_flags(where, "", table)]


def _flags(where: str, prefix: str, table: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for key, value in table.items():
        name = prefix + key.replace("_", "-")
        if isinstance(value, dict):
            words += _flags(where, f"{name}.", value)
        elif isinstance(value, bool):
            before, _, last = name.rpartition(".")
            words.append(f"--{before}{'.' * bool(before)}{'' if value else 'no-'}{last}")
        elif isinstance(value, list) and all(_is_plain(one) for one in value):
            words += [f"--{name}", *map(str, value)]
        elif _is_plain(value):
            words += [f"--{name}", str(value)]
        else:
            raise InputError(f"{where}: field {key!r} must be plain values, got {shorten(value)}")
    return words


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
