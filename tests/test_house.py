"""The house's own rules: who may import whom, how long files are, and that importing is light."""

import ast
import graphlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("stepdiff_jax", "configs", "data_prep", "launch")
FILES = [
    path
    for part in (*PACKAGES, "tests")
    for path in sorted((ROOT / part).rglob("*.py"))
    if "__pycache__" not in path.parts
]

FLOORS = {
    "stepdiff_jax.__main__": 6,
    "stepdiff_jax.cli": 5,
    "stepdiff_jax.aot": 4,
    "stepdiff_jax.evaluation": 3,
    "stepdiff_jax.systems": 3,
    "stepdiff_jax.training": 3,
    "stepdiff_jax.inference": 2,
    "stepdiff_jax.convert": 2,
    "stepdiff_jax.loading": 1,
    "stepdiff_jax.models": 1,
    "stepdiff_jax.data": 1,
}
"""Rooms of stepdiff_jax; the single files that are not named (config, errors, ...) are floor 0."""


class Import(NamedTuple):
    importer: str
    imported: str
    deferred: bool
    """Inside of a function: it runs when that is called."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TEMPLATES = ROOT / "stepdiff_jax" / "convert" / "torch_model"
"""Written into exported directories; nothing here imports them."""

MODULES = {
    module_name(path): path
    for path in FILES
    if path.relative_to(ROOT).parts[0] in PACKAGES and path.parent != TEMPLATES
}


def _imports(importer: str, body: list[ast.stmt], deferred: bool) -> Iterator[Import]:
    """Imports of a module's statements, without those for type checkers, which do not run."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(importer, alias.name, deferred) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(importer, inner if inner in MODULES else str(node.module), deferred)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(importer, node.orelse, deferred)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for block in ("body", "orelse", "finalbody"):
                inner_body = getattr(node, block, [])
                yield from _imports(importer, inner_body, deferred or function)
            for handler in getattr(node, "handlers", []):
                yield from _imports(importer, handler.body, deferred)


IMPORTS = [
    found
    for name, path in MODULES.items()
    for found in _imports(name, ast.parse(path.read_text()).body, deferred=False)
]


def floor(module: str) -> int:
    if module == "stepdiff_jax":  # its lazy StepDiff stands above all, like the command line
        return max(FLOORS.values())
    return FLOORS.get(".".join(module.split(".")[:2]), 0)


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_no_import_circle_between_modules():
    graph: dict[str, set[str]] = {}
    for one in IMPORTS:
        if not one.deferred and one.imported in MODULES:
            graph.setdefault(one.importer, set()).add(one.imported)
    tuple(graphlib.TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_rooms_of_stepdiff_jax_form_no_circle_and_import_only_downwards():
    graph: dict[str, set[str]] = {}
    for one in IMPORTS:
        if not (one.importer.startswith("stepdiff_jax.") and one.imported in MODULES):
            continue
        if room(one.importer) == "stepdiff_jax.cli" or one.imported == "stepdiff_jax":
            continue
        assert floor(one.imported) <= floor(one.importer), f"upwards: {one}"
        if room(one.importer) != room(one.imported):
            graph.setdefault(room(one.importer), set()).add(room(one.imported))
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_stepdiff_jax_knows_nothing_of_what_uses_it():
    outer = ("configs", "data_prep", "launch")
    wrong = [
        one
        for one in IMPORTS
        if one.importer.startswith("stepdiff_jax")
        and one.imported.split(".")[0] in outer
        and not (one.importer == "stepdiff_jax.cli" and one.deferred)
    ]
    assert not wrong


READS_PICKLES = "stepdiff_jax.convert.pickles"


def test_torch_is_imported_by_no_package_but_to_read_its_pickles():
    importers = [one for one in IMPORTS if one.imported.split(".")[0] == "torch"]
    assert all(one.importer == READS_PICKLES and one.deferred for one in importers)


def test_files_are_small():
    lengths = {path: len(path.read_text().splitlines()) for path in FILES}
    assert statistics.median(lengths.values()) <= 150
    assert not [path for path, length in lengths.items() if length > 600]


def _run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


def test_importing_everything_starts_no_backend_and_imports_no_torch():
    names = [name for name in MODULES if name.split(".")[0] == "stepdiff_jax"]
    output = _run(
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
        "from jax._src import xla_bridge\n"
        "print(xla_bridge.backends_are_initialized(), 'torch' in sys.modules)"
    )
    assert output.split() == ["False", "False"]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_command_line_answers_without_jax(arguments):
    program = (
        "import sys\nfrom stepdiff_jax.cli import main\n"
        f"main({arguments})\nprint('jax' in sys.modules, 'numpy' in sys.modules)"
    )
    assert _run(program).split()[-2:] == ["False", "False"]
