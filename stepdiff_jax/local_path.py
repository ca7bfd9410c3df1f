"""Local paths as Orbax and TFDS take them, so that names mean what they say.

Both use etils' paths, which read `[`, `*` and `?` in a directory's own name as a pattern when its
files are listed, and take `/gs/...` and `/s3/...` for addresses of a cloud store.
"""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from etils import epath

from stepdiff_jax.errors import InputError

UNSTORABLE = {
    "\\": "a backslash",
    "gs:/": "a directory whose name ends in 'gs:'",
    "\0": "a zero byte",
}
"""What TensorStore, through which Orbax writes arrays, rewrites or rejects in a path."""


class LocalPath(type(epath.Path("/"))):  # type: ignore[misc]
    """A path of etils that is always local, and in which only the argument of `glob` is a pattern.

    etils hands objects of its own classes through unchanged, and what is derived from one (parents,
    files in it) has its class.
    """

    _uri_scheme = None

    def glob(self, pattern: str) -> Iterator[Self]:
        """The files below this directory that match `pattern`."""
        for found in glob.iglob(pattern, root_dir=self):  # noqa: PTH207 - `self` has no meaning in it
            yield self / found


def local_path(path: Path) -> LocalPath:
    """A path for Orbax or TFDS, absolute; links in it are not replaced by their targets, whose
    names may have other endings.

    Raises:
        InputError: these libraries cannot store the name: it is not UTF-8, or has one of
            `UNSTORABLE`.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 - keeps links
    try:
        absolute.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path}: this name is not UTF-8, and Orbax and TFDS read no others; rename it"
        ) from error
    for part, what in UNSTORABLE.items():
        if part in f"{absolute}/":
            raise InputError(
                f"{path}: the path {absolute} has {what}, which Orbax cannot store; rename it"
            )
    return LocalPath(absolute)
