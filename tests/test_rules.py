"""The project's own rules: who may import whom, how long files are, and that importing is light."""

import graphlib
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from imports import PACKAGES, imports_of, module_name

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "stepdiff_jax" / "weights" / "export" / "torch_model"
"""Written into exported directories; nothing here imports them."""

SHIPPED = [
    path
    for part in PACKAGES
    for path in sorted((ROOT / part).rglob("*.py"))
    if "__pycache__" not in path.parts
]
MODULES = {module_name(path, ROOT): path for path in SHIPPED if path.parent != TEMPLATES}

LEVELS = (
    "launch",
    "configs",
    "data_prep.cli",
    "data_prep.bench",
    "data_prep.inspect",
    "data_prep.kitchen",
    "data_prep.records",
    "data_prep.text",
    "data_prep.sources",
    "data_prep.benchmark",
    "data_prep.similarity",
    "data_prep.frames",
    "data_prep",
    "stepdiff_jax.__init__",
    "stepdiff_jax.aot",
    "stepdiff_jax.training",
    "stepdiff_jax.systems",
    "stepdiff_jax.evaluation",
    "stepdiff_jax.report",
    "stepdiff_jax.inference",
    "stepdiff_jax.weights",
    "stepdiff_jax.models",
    "stepdiff_jax.data",
    "stepdiff_jax.arguments",
    "stepdiff_jax.config_files",
    "stepdiff_jax.accelerators",
    "stepdiff_jax.families",
    "stepdiff_jax",
)
"""Packages and folders from the top down; a module belongs to the longest name that it begins with,
and imports from its own level and those below. The last of a package stands for its single files.
"""


def level(module: str) -> int:
    """Index into LEVELS."""
    parts = module.split(".")
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return LEVELS.index(next(name for name in names if name in LEVELS))


def problems(modules: dict[str, Path]) -> list[str]:
    """Imports from a level above, and circles of modules; a line each."""
    graph: dict[str, set[str]] = {}
    found = []
    for importer, imported in imports_of(modules):
        if imported.split(".")[0] not in PACKAGES:
            continue
        if level(imported) < level(importer):
            found.append(f"{importer} imports {imported}, which stands above it")
        graph.setdefault(importer, set()).add(imported)
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        found.append(f"circle: {' > '.join(error.args[1])}")
    return found


def test_imports_go_downwards_only_and_form_no_circle():
    assert not problems(MODULES)


UPWARD = {
    "plain": "from data_prep.stage import run_stage\n",
    "deferred": "def f():\n    import launch.cli\n",
    "type checking": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from configs import kitchen\n"
    ),
    "import_module": "from importlib import import_module\nimport_module('configs.kitchen')\n",
    "a name in parts": "import importlib\nimportlib.import_module(f'configs.{1}')\n",
    "find_spec": "import importlib.util as u\nu.find_spec('data_prep')\n",
    "a string for later": "PLUGIN = 'data_prep.kitchen.oracle'\n",
    "a function by name": "PLUGIN = 'data_prep.kitchen.language_model:oracle'\n",
    "a command": "import subprocess\nsubprocess.run(['python', '-m', 'launch'])\n",
}


@pytest.mark.parametrize("text", UPWARD.values(), ids=UPWARD.keys())
def test_an_upward_import_is_found(tmp_path, text):
    path = tmp_path / "errors.py"
    path.write_text(text)
    found, *circle = problems(MODULES | {"stepdiff_jax.errors": path})
    assert found.startswith("stepdiff_jax.errors imports ")
    assert all(line.startswith("circle: ") for line in circle)  # most modules import errors


@pytest.mark.parametrize(
    "text",
    [
        "from stepdiff_jax.jsonl import shorten\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import stepdiff_jax.jsonl\n",
        "def f():\n    __import__('stepdiff_jax.jsonl')\n",
    ],
)
def test_a_circle_is_found(tmp_path, text):
    path = tmp_path / "errors.py"  # jsonl imports errors
    path.write_text(text)
    (found,) = problems(MODULES | {"stepdiff_jax.errors": path})
    assert found.startswith("circle: ")


READS_PICKLES = "stepdiff_jax.weights.published.pickles"
MEASURES = "launch.bench."


def test_torch_is_imported_to_read_its_pickles_and_to_compare_with_it_only():
    importers = {one.importer for one in imports_of(MODULES) if one.imported == "torch"}
    others = {name for name in importers if not name.startswith(MEASURES)}
    assert others == {READS_PICKLES}


def test_what_is_shipped_imports_nothing_of_the_tests():
    helpers = {path.stem for path in (ROOT / "tests").iterdir()} - set(PACKAGES)
    found = [one for one in imports_of(MODULES) if one.imported.split(".")[0] in helpers]
    assert not found


def test_files_are_small():
    lengths = {path: len(path.read_text().splitlines()) for path in SHIPPED}
    assert statistics.median(lengths.values()) <= 120
    assert not [path for path, length in lengths.items() if length > 400]


def test_tests_are_of_readable_length():
    tests = (ROOT / "tests").rglob("*.py")
    assert not [path for path in tests if len(path.read_text().splitlines()) > 400]


def test_data_prep_has_few_parts_on_its_top_level():
    parts = [path for path in (ROOT / "data_prep").iterdir() if path.name != "__pycache__"]
    assert len(parts) <= 14


def _run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


def test_importing_everything_starts_no_backend_and_imports_no_torch():
    names = [name for name in MODULES if name.split(".")[0] == "stepdiff_jax"]
    names = [name.removesuffix(".__init__") for name in names]
    output = _run(
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
        "from jax._src import xla_bridge\n"
        "print(xla_bridge.backends_are_initialized(), 'torch' in sys.modules)"
    )
    assert output.split() == ["False", "False"]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_command_line_answers_without_jax(arguments):
    program = (
        "import sys\nfrom launch.cli import main\n"
        f"main({arguments})\nprint('jax' in sys.modules, 'numpy' in sys.modules)"
    )
    assert _run(program).split()[-2:] == ["False", "False"]
