"""Directories of Hugging Face's cache: `models--ORGANISATION--NAME` and its snapshots.

Each `snapshots/REVISION` holds links to `blobs/HASH`, whose names have no endings, so files are
opened by the links' names. `refs/main` has the revision of the main branch.
"""

from pathlib import Path

from stepdiff_jax.errors import InputError


def local_snapshot(path: Path) -> Path:
    """The snapshot of a model's main branch if `path` is its directory in the cache, else `path`.

    Raises:
        InputError: the directory has snapshots, but none is that of its main branch.
    """
    snapshots = path / "snapshots"
    if not path.name.startswith("models--") or not snapshots.is_dir():
        return path
    try:
        revision = (path / "refs" / "main").read_text(encoding="utf-8").strip()
        if revision and (snapshots / revision).is_dir():
            return snapshots / revision
    except (OSError, ValueError):
        pass
    found = ", ".join(sorted(one.name for one in snapshots.iterdir()))
    raise InputError(
        f"{path}: its refs/main names no snapshot that is there; choose one of {snapshots}: "
        f"{found or 'it is empty'}"
    )
