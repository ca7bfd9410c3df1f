"""A directory that is written as a whole or not at all."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from stepdiff_jax.errors import InputError


@contextlib.contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """A directory beside `path` to write into, which gets its name when all has gone well.

    Raises:
        InputError: `path` exists.
    """
    if path.exists():
        raise InputError(f"{path}: exists already; choose another directory, or delete it")
    unfinished = path.with_name(f".{path.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        unfinished.rename(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
