"""The example of docs/configs.md, as it is written there."""

import re
from pathlib import Path

import pytest

from data_prep.records.pack import pack
from launch.cli import main
from launching import metrics
from record_sources import write_source
from stepdiff_jax.config import Experiment
from stepdiff_jax.config_files import flatten, to_dict
from stepdiff_jax.training.run_directory import FREE

DOC = (Path(__file__).parents[1] / "docs" / "configs.md").read_text()
FILES = dict(re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)```", DOC, re.M | re.S))
COMMANDS = [line.split("#")[0].split() for line in DOC.splitlines() if line.startswith("stepdiff ")]


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Holds the two files of the example and the data that they name; it is the current one."""
    pack(write_source(tmp_path / "source"), tmp_path / "my" / "data")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_trains_and_then_trains_longer(directory, capsys):
    assert sorted(FILES) == ["base.py", "mine.py"]
    first, longer = COMMANDS
    assert main(first[1:]) == 0
    assert main(longer[1:]) == 0
    assert capsys.readouterr().out == "runs/narrated-8\n" * 2
    lines = metrics(directory / "runs" / "narrated-8")
    assert [line["step"] for line in lines if "validation_loss" in line] == [0, 2, 4, 6]


def test_every_group_of_fields_is_explained():
    table = DOC[DOC.index("## Fields") : DOC.index("## What is checked")]
    for field in flatten(to_dict(Experiment(""))):
        group = field.rpartition(".")[0]
        assert f"`{group}.*`" in table or f"`{field}`" in table, field


def test_the_fields_that_may_differ_are_those_of_the_code():
    table = DOC[DOC.index("## Resuming") :]
    for field in FREE:
        assert f"`{field}*`" in table or f"`{field}`" in table
