"""Stages are done once, in order, and again where what they were made from has changed."""

import io

import pytest
from rich.console import Console

from launch.quickstart.stages import Stages


def _run(directory, keys, done):
    stages = Stages(directory, Console(file=io.StringIO()))
    for name, key in keys.items():
        stages.run(name, key, lambda name=name: done.append(name) or {"name": name})
    return stages


def test_a_second_run_does_nothing_and_gives_the_same_results(tmp_path):
    done: list[str] = []
    first = _run(tmp_path, {"render": [1], "train": {"steps": 2}}, done)
    second = _run(tmp_path, {"render": [1], "train": {"steps": 2}}, done)
    assert done == ["render", "train"]
    assert second.finished == first.finished
    assert set(second.seconds) == {"render", "train"}


def test_a_changed_key_does_the_stage_and_all_later_ones_again(tmp_path):
    done: list[str] = []
    _run(tmp_path, {"render": 1, "pack": 1, "train": 1}, done)
    _run(tmp_path, {"render": 1, "pack": 2, "train": 1}, done)
    assert done == ["render", "pack", "train", "pack", "train"]


def test_an_interrupted_stage_is_not_finished(tmp_path):
    stages = Stages(tmp_path, Console(file=io.StringIO()))
    stages.run("render", 1, dict)
    with pytest.raises(ZeroDivisionError):
        stages.run("train", 1, lambda: 1 / 0)
    assert set(Stages(tmp_path, Console(file=io.StringIO())).finished) == {"render"}
