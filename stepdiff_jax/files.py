"""Atomic writes of files and directories.

Each is written under a hidden name in the same directory and renamed at the end. A killed process
leaves the hidden file, never half of the real one.
"""

import glob
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError

LONGEST_NAME = 200
"""The longest name, in bytes, that may be extended: file systems allow 255."""

_LONGEST_ENDING = ".quarantine.jsonl"
_PROBE = 4096


@contextmanager
def replacing(path: Path, writer: str = "") -> Iterator[Path]:
    """A path to write a file to, which replaces `path` if the block ends without an exception.

    Parent directories are created. Processes that write the same file at once, on one host or
    several, do not interfere: the last one to finish wins.

    Args:
        writer: for a file that only one process at a time ever writes: a fixed part of the hidden
            name, so that the next process overwrites what a killed one has left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{_stem(path)}.{writer or secrets.token_hex(4)}.tmp")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, writer: str = "") -> None:
    """Write a file's bytes atomically; `writer` as in `replacing`."""
    with replacing(path, writer) as unfinished:
        unfinished.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a file's text as UTF-8, atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Write a file of one JSON value and a newline, atomically."""
    write_text(path, json.dumps(value, indent=indent) + "\n")


def remove_unfinished(path: Path) -> None:
    """Remove what processes that were killed while writing `path` have left beside it.

    Only for a file that no other process is writing.
    """
    for unfinished in path.parent.glob(f".{glob.escape(_stem(path))}.*.tmp"):
        unfinished.unlink()


def require_writable(directory: Path) -> None:
    """Check that files can be created in a directory, or in the one that it will be created in.

    Leaves nothing behind.

    Raises:
        InputError: they cannot.
    """
    existing = directory
    try:
        while not existing.exists():
            existing = existing.parent
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(bytes(_PROBE))
    except OSError as error:
        raise InputError(f"{directory}: cannot be written: {error.strerror or error}") from error


def require_writable_file(path: Path) -> None:
    """`require_writable` for a file, and for those that are written beside it with longer names.

    Raises:
        InputError: the file is a directory, its name is too long, or see `require_writable`.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: cannot be written: is a directory")
        with suppress(FileNotFoundError, NotADirectoryError):
            path.with_name(f"{path.stem}{_LONGEST_ENDING}").lstat()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be written: {reason}") from error
    require_writable(path.parent)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """A directory to write into, which becomes `path` if the block ends without an exception.

    Raises:
        InputError: `path` exists.
    """
    if path.exists():
        raise InputError(f"{path}: exists already; choose another directory, or delete it")
    unfinished = path.with_name(f".{_stem(path)}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        unfinished.rename(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _stem(path: Path) -> str:
    """The file's name, or a digest of a name that is too long to be extended."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= LONGEST_NAME else hashlib.sha256(name).hexdigest()[:32]
