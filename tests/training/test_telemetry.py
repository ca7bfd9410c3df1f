"""Metrics files over several starts of one run."""

import importlib.util
import json
import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from stepdiff_jax.errors import InputError
from stepdiff_jax.training.telemetry import Telemetry


def write(run: Path, steps: range, restored: int | None) -> None:
    with Telemetry(run, "test", steps=10, restored=restored) as telemetry:
        for step in steps:
            telemetry.log(step, {"loss": 1.0 / step})
            telemetry.advance(step)


def events(run: Path) -> list[Event]:
    """Events of all files in order: records of length, checksum, bytes, checksum."""
    found = []
    for path in sorted((run / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def test_lines_after_the_restored_step_are_replaced(tmp_path):
    write(tmp_path, range(1, 6), restored=None)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')  # a process was killed here
    write(tmp_path, range(4, 11), restored=3)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": step, "loss": 1.0 / step} for step in range(1, 11)
    ]


def test_fresh_start_replaces_everything(tmp_path):
    write(tmp_path, range(1, 6), restored=None)
    write(tmp_path, range(1, 3), restored=None)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_tensorboard_has_the_same_figures_and_is_told_what_to_forget(tmp_path):
    write(tmp_path, range(1, 4), restored=None)
    figures = [
        (event.step, value.tag, value.simple_value)
        for event in events(tmp_path)
        for value in event.summary.value
    ]
    assert figures == [(1, "loss", 1.0), (2, "loss", 0.5), (3, "loss", figures[2][2])]
    write(tmp_path, range(3, 4), restored=2)
    starts = [event.step for event in events(tmp_path) if event.session_log.status]
    assert starts[-1] == 3


def test_plain_lines_without_a_terminal(tmp_path, capsys):
    write(tmp_path, range(1, 11), restored=None)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("test 1/10") and lines[-1] == "test 10/10  loss 0.1000"


def test_a_project_without_wandb_is_an_input_error(tmp_path):
    if importlib.util.find_spec("wandb") is not None:
        pytest.skip("wandb is installed")
    with pytest.raises(InputError, match=r"loop\.wandb_project 'steps' needs `pip install wandb`"):
        Telemetry(tmp_path, "test", steps=1, restored=None, wandb_project="steps")
