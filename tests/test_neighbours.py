"""A config in a file may import the files beside it, and nothing of it stays behind."""

import json
import sys
from pathlib import Path

import pytest

from stepdiff_jax.config_files import load_experiment
from stepdiff_jax.errors import InputError

MINE = "from base import NAME, make\n\ndef experiment():\n    return make(NAME)\n"
BASE = """from stepdiff_jax.config import Experiment

NAME = "{}"

def make(name):
    import later  # while experiment() runs, too

    return Experiment(f"{{name}}-{{later.LABEL}}")
"""


def write_config(directory: Path, label: str) -> Path:
    directory.mkdir()
    (directory / "mine.py").write_text(MINE)
    (directory / "base.py").write_text(BASE.format(label))
    (directory / "later").mkdir()
    (directory / "later" / "__init__.py").write_text("from later.label import LABEL\n")
    (directory / "later" / "label.py").write_text(f"LABEL = {label!r} * 2\n")
    return directory / "mine.py"


def test_configs_with_neighbours_of_one_name_are_independent(tmp_path, monkeypatch):
    first, second = (write_config(tmp_path / name, name) for name in ("a", "b"))
    before = (list(sys.path), list(sys.meta_path), set(sys.modules))
    assert load_experiment(str(first)).name == "a-aa"
    assert load_experiment(str(second)).name == "b-bb"
    assert load_experiment(str(first)).name == "a-aa"
    assert (list(sys.path), list(sys.meta_path), set(sys.modules)) == before
    monkeypatch.chdir(tmp_path / "a")
    monkeypatch.syspath_prepend("")  # as with `python -m launch`
    import base  # of the current directory

    assert base.NAME == "a"
    assert load_experiment(str(second)).name == "b-bb"
    assert sys.modules.pop("base") is base
    assert load_experiment("mine.py").name == "a-aa"


@pytest.mark.parametrize("name", ["json", "numpy", "stepdiff_jax", "configs", "mutagen_x"])
def test_neighbours_shadow_nothing_that_is_installed(tmp_path, name):
    path = write_config(tmp_path / "a", "a")
    (tmp_path / "a" / "json.py").write_text("raise SystemExit('shadowed')\n")
    for package in ("numpy", "stepdiff_jax", "configs"):
        (tmp_path / "a" / package).mkdir()
        (tmp_path / "a" / package / "__init__.py").write_text("raise SystemExit('shadowed')\n")
    (tmp_path / "a" / "mutagen_x.py").write_text("")  # not installed: it is the neighbour
    path.write_text(f"import {name}\n\n" + MINE)
    assert load_experiment(str(path)).name == "a-aa"
    assert sys.modules["json"] is json
    assert "mutagen_x" not in sys.modules


def test_an_error_beside_the_config_is_named_where_it_is(tmp_path):
    path = write_config(tmp_path / "a", "a")
    (tmp_path / "a" / "base.py").write_text("x = 1\ny = z\n")
    with pytest.raises(InputError) as error:
        load_experiment(str(path))
    named = f"{tmp_path / 'a' / 'base.py'}, line 2: NameError: name 'z' is not defined"
    assert str(error.value) == named
    assert "base" not in sys.modules


def test_a_config_that_exits_is_an_error(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import sys\n\ndef experiment():\n    sys.exit(0)\n")
    with pytest.raises(InputError, match=r"mine\.py, line 4: SystemExit: 0"):
        load_experiment(str(path))


def test_a_file_may_have_an_at_in_its_path(tmp_path):
    path = write_config(tmp_path / "me@home@v5e", "a")
    assert load_experiment(str(path)).name == "a-aa"
    with pytest.raises(InputError, match="does not accept a size, got 'llama2-7b'"):
        load_experiment(f"{path}@llama2-7b")
