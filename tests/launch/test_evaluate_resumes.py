"""`stepdiff evaluate` on some instances, stopped and started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch.cli import main
from stepdiff_jax.evaluation.benchmark_files import read_diffcap
from stepdiff_jax.jsonl import read_jsonl, write_jsonl
from tiny_experiment import write_tiny_experiment

CLIPS = [f"train{number}_0_1" for number in range(4)]
CATEGORIES = ("Actions", "Tools/Equipment")
CAPTIONS = [
    {"reference": one, "candidate": other, "category": category, "text": ["It is red."]}
    for one in CLIPS
    for other in CLIPS
    for category in CATEGORIES
    if one != other
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("resumes")
    write_tiny_experiment(root)
    write_jsonl(root / "benchmark/diffcap_dataset.jsonl", CAPTIONS)
    return root


def words(directory: Path, run: Path, *flags: str) -> list[str]:
    where = ("--benchmark", f"{directory}/benchmark", "--data.directory", f"{directory}/data")
    system = ("--task", "diffcap", "--system", "blind", "--loop.run-directory", str(run))
    return ["evaluate", "kitchen", *where, *system, *flags]


def samples_path(run: Path) -> Path:
    return run / "systems/blind/predictions/all/samples_diffcap.jsonl"


@pytest.fixture(scope="module")
def whole(directory) -> Path:
    """The run directory of an evaluation that nothing interrupted."""
    run = directory / "whole"
    assert main(words(directory, run)) == 0
    return run


def start(directory: Path, run: Path, wanted: int) -> subprocess.Popen:
    """An evaluation that has saved some of its samples."""
    command = [sys.executable, "-m", "launch", *words(directory, run, "--save-every", "1")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not lines(run)[wanted - 1 :]:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return process


def lines(run: Path) -> list[str]:
    path = samples_path(run)
    return path.read_text().splitlines() if path.exists() else []


def test_samples_say_what_was_asked_and_answered(whole):
    found = [line.fields for line in read_jsonl(samples_path(whole))]
    assert [one["id"] for one in found] == list(range(len(CAPTIONS)))
    predictions = read_jsonl(samples_path(whole).with_name("diffcap.jsonl"))
    for one, caption, prediction in zip(found, CAPTIONS, predictions, strict=True):
        assert one["clips"] == [caption["reference"], caption["candidate"]]
        assert (one["category"], one["text"]) == (caption["category"], caption["text"])
        assert one["generated_text"] == prediction.fields["generated_text"]
        assert one["output"] and one["tokens"] > 0
    results = json.loads((whole / "systems/blind/results.json").read_text())
    assert results["outputs"]["diffcap"] == {"empty": 0, "repeated": 0, "cut": 0}


def test_a_killed_evaluation_does_only_the_rest(directory, whole, tmp_path):
    process = start(directory, tmp_path, 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    path, saved = samples_path(tmp_path), lines(tmp_path)
    changed = json.loads(saved[0]) | {"generated_text": "Kept as it is."}
    path.write_text("\n".join([json.dumps(changed), *saved[1:]]) + '\n{"id": 5, "outp')
    assert main(words(directory, tmp_path)) == 0
    found = {line.fields["id"]: line.fields for line in read_jsonl(path)}
    assert found.pop(changed["id"]) == changed
    wanted = {line.fields["id"]: line.fields for line in read_jsonl(samples_path(whole))}
    del wanted[changed["id"]]
    assert found == wanted
    predictions = read_jsonl(path.with_name("diffcap.jsonl"))
    assert predictions[changed["id"]].fields["generated_text"] == "Kept as it is."


def test_a_stopped_evaluation_asks_to_be_started_again(directory, whole, tmp_path):
    process = start(directory, tmp_path, 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == os.EX_TEMPFAIL
    assert 0 < len(lines(tmp_path)) < len(CAPTIONS)
    assert not (tmp_path / "systems/blind/results.json").exists()
    assert main(words(directory, tmp_path)) == 0
    assert samples_path(tmp_path).read_bytes() == samples_path(whole).read_bytes()


def test_what_is_done_is_not_asked_again_unless_something_changed(directory, tmp_path, capsys):
    benchmark = shutil.copytree(directory / "benchmark", tmp_path / "benchmark")
    flags = ("--benchmark", str(benchmark), "--limit", "2")
    assert main(words(directory, tmp_path / "run", *flags)) == 0
    assert "2/2" in capsys.readouterr().err
    assert main(words(directory, tmp_path / "run", *flags)) == 0
    first = capsys.readouterr()
    assert first.err == ""
    write_jsonl(benchmark / "diffcap_dataset.jsonl", [CAPTIONS[3], *CAPTIONS])
    assert main(words(directory, tmp_path / "run", *flags)) == 0
    assert "samples_diffcap.jsonl: starting over: instances differs" in capsys.readouterr().err


def test_some_instances_have_a_directory_of_their_own(directory, whole, capsys):
    before = samples_path(whole).read_bytes()
    flags = ("--limit", "3", "--categories", "Tools/Equipment")
    assert main(words(directory, whole, *flags)) == 0
    capsys.readouterr()
    found = whole / "systems/blind/partial/Tools-Equipment_first-3/predictions/all"
    chosen = read_diffcap(found / "diffcap_dataset.jsonl")
    assert [one.category for one in chosen] == ["Tools/Equipment"] * 3
    assert len(read_jsonl(found / "diffcap.jsonl")) == 3
    assert samples_path(whole).read_bytes() == before
    files = f"--ground-truth {found}/diffcap_dataset.jsonl --predictions {found}/diffcap.jsonl"
    assert main(["score", "--task", "diffcap", *files.split()]) == 0
    assert json.loads(capsys.readouterr().out)["instances"] == 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--limit 0", "--limit must be positive, got 0"),
        ("--save-every 0", "--save-every must be positive, got 0"),
        ("--categories Taste", "/diffcap_dataset.jsonl has Actions, Tools/Equipment, got 'Taste'"),
        ("--task diffcut", "--task: must be one of diffcap, diffmcq, diffrank, captaincook4d, "),
    ],
)
def test_wrong_choices_are_one_line(directory, tmp_path, capsys, flags, message):
    assert main(words(directory, tmp_path, *flags.split())) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())
