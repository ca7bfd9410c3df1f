"""Which module of the project uses which: every import, wherever and however it is written."""

import ast
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("stepdiff_jax", "configs", "data_prep", "launch")
LOADERS = ("import_module", "__import__", "find_spec", "run_module", "resolve_name")
"""Functions whose first argument names a module."""


class Import(NamedTuple):
    importer: str
    imported: str


def module_name(path: Path, root: Path) -> str:
    """`package.module`; of a package's own file `package.__init__`."""
    return ".".join(path.relative_to(root).with_suffix("").parts)


def imports_of(modules: Mapping[str, Path]) -> list[Import]:
    """Every use of a module of the project by another, by name.

    That is `import` at the top, in functions and for type checkers alike; a name that is handed to
    `import_module` and its like; `-m NAME` of a command; and any string that is a module's name, or
    MODULE:NAME.
    Of other packages, `import` alone.
    """
    found = []
    for name, path in modules.items():
        tree = ast.parse(path.read_text())
        uses = {*_statements(tree, name, modules), *_strings(tree, modules)}
        found += [Import(name, one) for one in sorted(uses) if one != name]
    return found


def _statements(tree: ast.AST, importer: str, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_module(alias.name, modules) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer}: relative import"
            for alias in node.names:
                inner = _module(f"{node.module}.{alias.name}", modules)
                yield inner if inner in modules else _module(str(node.module), modules)


def _strings(tree: ast.AST, modules: Mapping[str, Path]) -> Iterator[str]:
    handed: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func).split(".")[-1]
            if function in LOADERS:
                handed.add(_beginning(node.args[0]))
        elif isinstance(node, ast.List | ast.Tuple):
            values = [_beginning(element) for element in node.elts]
            handed |= {after for flag, after in pairwise(values) if flag == "-m"}
        else:
            name = _module(_beginning(node).partition(":")[0], modules)
            if "." in name and name in modules:
                yield name
    for text in handed:
        if text.split(".")[0] in PACKAGES:
            yield _module(text.rstrip("."), modules)


def _beginning(node: ast.AST) -> str:
    """A string constant, or what an f-string or a sum of strings begins with; else nothing."""
    while isinstance(node, ast.JoinedStr | ast.BinOp):
        node = node.left if isinstance(node, ast.BinOp) else node.values[0]
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _module(name: str, modules: Mapping[str, Path]) -> str:
    package = f"{name}.__init__"
    return package if package in modules else name
