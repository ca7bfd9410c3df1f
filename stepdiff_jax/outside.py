"""Tells failures of disks and machines from bad input; ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stepdiff_jax.errors import InputError, OutsideFailure

FAILURES = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "EREMOTEIO"),
        *("ESTALE", "ENXIO", "ENODEV", "ENOMEDIUM", "ESHUTDOWN"),
        *("ENOMEM", "EMFILE", "ENFILE", "EAGAIN"),
        *("ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH", "ETIMEDOUT"),
        *("ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ENOTCONN"),
    )
    if hasattr(errno, name)
)
"""Errors of a disk, a file server, a network or a machine, whatever file was being used."""

_BLOCK = 1 << 20


def is_outside(error: BaseException) -> bool:
    """Whether an exception says nothing about the file or record that was being processed."""
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno in FAILURES
    )


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors of the operating system into one line that names the file.

    Raises:
        OutsideFailure: the block raised a MemoryError, or an OSError in `FAILURES`.
        InputError: it raised another OSError, except BrokenPipeError, which is left as it is.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except MemoryError as error:
        raise OutsideFailure("out of memory; starting again resumes") from error
    except OSError as error:
        text = _sentence(error)
        if is_outside(error):
            raise OutsideFailure(f"{text}; starting again resumes") from error
        raise InputError(text) from error


def require_readable(path: Path | str) -> None:
    """Read a file from beginning to end, as libraries may hide why a disk gave them nothing.

    Raises:
        OutsideFailure: the disk or the file server fails. Other errors are left to the caller.
    """
    try:
        with Path(path).open("rb", buffering=0) as file:
            while file.read(_BLOCK):
                pass
    except OSError as error:
        if is_outside(error):
            raise OutsideFailure(f"{_sentence(error, path)}; starting again resumes") from error


def _sentence(error: OSError, path: Path | str = "") -> str:
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    text = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return ": ".join([*(names[:1] or ([str(path)] if path else [])), text])
