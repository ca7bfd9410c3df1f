"""Python files beside a config, which it may import while it runs."""

import importlib
import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

OURS = Path(__file__).parents[1]
"""Holds this project's packages, whatever else `sys.path` has."""


@contextmanager
def importable(directory: Path) -> Iterator[None]:
    """Let files in a directory be imported by their names, inside the `with` block only.

    Names of the standard library and of installed packages keep their meaning. What was imported
    from the directory is forgotten at the end, so two configs may have neighbours of one name.
    """
    finder = _Neighbours(directory)
    importlib.invalidate_caches()
    # Modules of the same names that came from elsewhere, such as the current directory.
    hidden = _take_modules(name for name in _top_names() if finder.finds(name))
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _take_modules(finder.found)
        sys.modules.update(hidden)


class _Neighbours:
    """A finder of modules in one directory; `found` are the names that it found."""

    def __init__(self, directory: Path):
        self._directory = directory.resolve()
        self.found: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        del target
        if path is not None or _is_installed(name, self._directory):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, [str(self._directory)])
        if spec is not None:
            self.found.add(name)
        return spec

    def finds(self, name: str) -> bool:
        """Whether the directory has a file or package of this name that is not installed."""
        files = (self._directory / name, self._directory / f"{name}.py")
        return any(map(os.path.exists, files)) and not _is_installed(name, self._directory)


def _is_installed(name: str, neighbours: Path) -> bool:
    if name in sys.stdlib_module_names or (OURS / name / "__init__.py").is_file():
        return True
    for finder in sys.meta_path:
        if isinstance(finder, _Neighbours) or finder is importlib.machinery.PathFinder:
            continue
        if finder.find_spec(name, None) is not None:
            return True
    here = {Path.cwd(), neighbours}
    places = [entry for entry in sys.path if Path(entry).resolve() not in here]
    return importlib.machinery.PathFinder.find_spec(name, places) is not None


def _top_names() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules}


def _take_modules(names: Iterator[str] | set[str]) -> dict[str, ModuleType]:
    """Remove modules and those within them from `sys.modules`; returns them."""
    taken = set(names)
    gone = [name for name in sys.modules if name.partition(".")[0] in taken]
    return {name: sys.modules.pop(name) for name in gone}
