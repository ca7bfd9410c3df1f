"""`stepdiff evaluate` straight from video files, and on other benchmarks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from launch.cli import main
from stepdiff_jax.jsonl import read_jsonl, write_jsonl
from video_files import write

CLIPS = ("one_1_3", "two_1_3", "one_0_2", "two_2_4")
RANKING = {
    "reference": "one_1_3",
    "targets": [*CLIPS],
    "category": "Actions",
    "scores": [5, 1, 3, 2],
}
QUESTION = {
    "id": 7,
    "task_type": "Joint-video Counting",
    "video_1": "one.mp4",
    "video_2": "two.mp4",
    "video_3": "one.mp4",
    "video_4": None,
    "question": "How many pans are there?",
    "options": ["A. One", "B. Two", "C. Three"],
    "answer": "B",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    (root / "videos").mkdir()
    shutil.copy(write(root / "videos/one.mp4"), root / "videos/two.mp4")
    write_jsonl(root / "benchmark/diffrank_dataset.jsonl", [RANKING])
    (root / "cvbench").mkdir()
    (root / "cvbench/CVBench.json").write_text(json.dumps([QUESTION]))
    return root


def evaluate(directory: Path, benchmark: str, *flags: str) -> int:
    run = ("--loop.run-directory", f"{directory}/run", "--videos", f"{directory}/videos")
    return main(["evaluate", "kitchen", "--benchmark", f"{directory}/{benchmark}", *run, *flags])


def test_clips_are_taken_from_video_files_and_the_log_says_which_frames(directory, capsys):
    assert evaluate(directory, "benchmark", "--task", "diffrank", "--system", "vlembed") == 0
    capsys.readouterr()
    found = directory / "run/systems/vlembed/predictions/all"
    (sample,) = (line.fields for line in read_jsonl(found / "samples_diffrank.jsonl"))
    assert sample["similarities"] == [5, 1, 3, 2]
    np.testing.assert_allclose(sample["scores"][:2], 1, atol=1e-5)  # the same frames
    assert max(sample["scores"][2:]) < 1 - 1e-5
    assert [one["clip"] for one in sample["clips"]] == list(CLIPS)
    first, second, *_ = sample["clips"]
    assert first["times"] == second["times"]
    assert (first["times"][0], first["times"][-1]) == (1.0, 3.0)
    assert first["frames"] == second["frames"]


def test_clips_that_changed_are_seen_again(directory, capsys):
    ranking = ("--task", "diffrank", "--system", "vlembed")
    assert evaluate(directory, "benchmark", *ranking) == 0
    capsys.readouterr()
    assert evaluate(directory, "benchmark", *ranking) == 0
    assert capsys.readouterr().err == ""
    (directory / "videos/one.mp4").touch()
    assert evaluate(directory, "benchmark", *ranking) == 0
    assert f"starting over: files.{directory}/videos differs" in capsys.readouterr().err


def test_choices_over_three_videos_are_scored(directory, capsys):
    assert evaluate(directory, "cvbench", "--task", "cvbench", "--system", "blind") == 0
    metrics = json.loads(capsys.readouterr().out)["cvbench"]
    assert metrics["instances"] == 1
    results = json.loads((directory / "run/systems/blind/results.json").read_text())
    assert results["intervals"]["cvbench"]["accuracy"]["low"] == metrics["accuracy"]
    found = directory / "run/systems/blind/predictions/all"
    (sample,) = (line.fields for line in read_jsonl(found / "samples_cvbench.jsonl"))
    assert sample["clips"] == ["one.mp4", "two.mp4", "one.mp4"]
    assert (sample["answer"], len(sample["scores"])) == (1, 3)


def test_a_split_is_of_packed_clips(directory, capsys):
    assert evaluate(directory, "benchmark", "--split", "test") == 2
    assert "--videos and --split are mutually exclusive" in capsys.readouterr().err
