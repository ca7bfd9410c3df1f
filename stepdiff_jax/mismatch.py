"""The one line for weights whose own config.json is not the experiment's."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from stepdiff_jax.errors import InputError


class Compared(NamedTuple):
    """One field of a config.json and of an experiment: their names and values."""

    theirs: str
    ours: str
    found: Any
    wanted: Any


def require_same(path: Path, compared: Iterable[Compared]) -> None:
    """Raise InputError if fields differ: the first with both values, and flags for all of them.

    Args:
        path: of the config.json.
    """
    different = [one for one in compared if one.found != one.wanted]
    if different:
        theirs, ours, found, wanted = different[0]
        flags = " ".join(_flag(one.ours, one.found) for one in different)
        raise InputError(
            f"{path}: {theirs} is {_shown(found)}, the experiment's {ours} is {_shown(wanted)}; "
            f"for these weights: {flags}"
        )


def _shown(value: Any) -> str:
    if value == "":  # as transformers calls unscaled rotary frequencies
        return repr("default")
    return repr(list(value) if isinstance(value, tuple) else value)


def _flag(field: str, value: Any) -> str:
    group, _, name = field.replace("_", "-").rpartition(".")
    if isinstance(value, bool):
        return f"--{group}.{'' if value else 'no-'}{name}"
    words = map(str, value) if isinstance(value, tuple) else [str(value) or "''"]
    return " ".join((f"--{group}.{name}", *words))
