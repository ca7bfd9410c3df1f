"""The same evaluation by one process and by two, of one device and of two each."""

import dataclasses
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from launching import end, launch, write_config
from stepdiff_jax.jsonl import read_jsonl, write_jsonl
from stepdiff_jax.training.loop import train
from tiny_experiment import write_tiny_experiment

CLIPS = [f"train{number}_0_1" for number in range(4)]
PAIRS = [[one, other] for one in CLIPS for other in CLIPS if one != other]
TASKS = {
    "diffcap": [
        {"reference": one, "candidate": other, "category": "Actions", "text": ["It is red."]}
        for one, other in PAIRS
    ],
    "diffmcq": [
        {
            "difference": "The person stirs.",
            "category": "Actions",
            "options": PAIRS[start : start + 4],
            "answer": PAIRS[start],
        }
        for start in range(3)
    ],
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a trained experiment; its benchmark lies beside it."""
    root = tmp_path_factory.mktemp("evaluate")
    tiny = write_tiny_experiment(root)
    optimizer = dataclasses.replace(tiny.optimizer, steps=3)
    experiment = dataclasses.replace(tiny, optimizer=optimizer)
    train(experiment)
    for task, lines in TASKS.items():
        write_jsonl(root / "benchmark" / f"{task}_dataset.jsonl", lines)
    return write_config(experiment, root)


def evaluation(config: Path, processes: int, devices: int, *flags: str) -> subprocess.Popen:
    benchmark = ("--benchmark", f"{config.parent}/benchmark", "--task", *TASKS)
    words = (str(config), *benchmark, *flags)
    return launch(processes, devices, "evaluate", *words, stdout=subprocess.PIPE)


def run_directory(config: Path) -> Path:
    return Path(json.loads((config.parent / "config.json").read_text())["loop"]["run_directory"])


def samples(config: Path, task: str) -> list[dict]:
    path = run_directory(config) / f"predictions/all/samples_{task}.jsonl"
    return [dict(line.fields) for line in read_jsonl(path)]


def all_samples(config: Path) -> dict[str, list[dict]]:
    return {task: samples(config, task) for task in TASKS}


def forget(config: Path) -> None:
    for path in (run_directory(config) / "predictions/all").iterdir():
        path.unlink()


def assert_equal(found: dict[str, list[dict]], wanted: dict[str, list[dict]]) -> None:
    """Texts and everything else alike, scores to 1e-5."""
    for task, lines in wanted.items():
        for one, other in zip(found[task], lines, strict=True):
            assert one.pop("scores", []) == pytest.approx(other.get("scores", []), abs=1e-5)
            assert one == {name: value for name, value in other.items() if name != "scores"}


def test_two_processes_answer_as_one_and_go_on_where_they_were_stopped(config):
    assert end(evaluation(config, 1, 1))[0] == 0
    alone = all_samples(config)
    assert [len(lines) for lines in alone.values()] == [len(lines) for lines in TASKS.values()]
    forget(config)

    mesh = ("--mesh.tensor", "2")
    assert end(evaluation(config, 2, 2, *mesh))[0] == 0
    assert_equal(all_samples(config), alone)
    forget(config)

    process = evaluation(config, 2, 2, *mesh, "--save-every", "1")
    path = run_directory(config) / "predictions/all/samples_diffcap.jsonl"
    deadline = time.monotonic() + 200
    while not (path.exists() and path.read_text().count("\n") > 1):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == os.EX_TEMPFAIL
    saved = path.read_text()
    assert 1 < saved.count("\n") < len(TASKS["diffcap"])
    assert end(evaluation(config, 2, 2, *mesh))[0] == 0
    assert_equal(all_samples(config), alone)
    assert set(saved.splitlines()) <= set(path.read_text().splitlines())
