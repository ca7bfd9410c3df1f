"""One process at a time writes a file; ours."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path`, after waiting for the process that holds it, on any machine.

    The lock is a hidden file beside `path`, removed at the end. The lock of a killed process ends
    with it. On file systems without locks, nothing is locked.
    """
    lock = path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with lock.open("a") as file:
            _acquire(file, path)
            if not _is_at(file, lock):  # its last holder has removed it
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _acquire(file: IO[str], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{path}: waiting for another process that is writing it", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        pass


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
