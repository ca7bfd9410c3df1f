"""Functions and classes given as MODULE:NAME, in a table or by a user's option."""

import importlib
import os
import sys
import traceback
from typing import Any

from stepdiff_jax.errors import InputError


def load_named(named: str, option: str) -> Any:
    """The object that MODULE:NAME names; the current directory is searched for MODULE last.

    Args:
        option: the option that the name was given to, for messages.
    Raises:
        InputError: not MODULE:NAME, no such module, the module fails, or it lacks the name.
    """
    module_name, _, name = named.partition(":")
    if not module_name or not name:
        raise InputError(f"{option}: must be MODULE:NAME, got {named!r}")
    # `python -m` adds it to the path, a console script does not.
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(f"{option} {named}: no module {error.name!r}") from error
        raise plugin_error(named, option, error) from error
    except Exception as error:  # whatever a user's module does
        raise plugin_error(named, option, error) from error
    if not hasattr(module, name):
        raise InputError(f"{option} {named}: module {module_name!r} has no {name!r}")
    return getattr(module, name)


def plugin_error(named: str, option: str, error: Exception) -> InputError:
    """What a plug-in raised, and where, on one line; an `InputError` is returned as it is."""
    if isinstance(error, InputError):
        return error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return InputError(
        f"{option} {named}: {frame.filename}, line {frame.lineno}: {type(error).__name__}: {text}"
    )
