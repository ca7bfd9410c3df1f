"""A benchmark's files become a dataset of their clips."""

import json

import pytest

from data_prep.sources.base import file_problem
from launch.cli import main
from record_sources import read_lines, write_lines, write_video
from stepdiff_jax.data.records import clip_ids

CLIPS = ("a_b-1_0.25_2.5", "a_b-1_0.5_2.5", "c_0_1", "gone_1_40")
RANK = {
    "reference": CLIPS[0],
    "targets": list(CLIPS),
    "category": "Actions",
    "scores": [5, 0, 1, 2],
}
CAP = {"reference": CLIPS[2], "candidate": CLIPS[0], "category": "Actions", "text": ["less"]}


@pytest.fixture
def benchmark(tmp_path):
    directory = tmp_path / "benchmark"
    directory.mkdir()
    write_lines(directory / "diffcap_dataset.jsonl", [CAP])
    write_lines(directory / "diffrank_dataset.jsonl", [RANK])
    return directory


def clips_of(benchmark, destination, *flags: str) -> list[dict]:
    arguments = ["--source", "benchmark", "--annotations", str(benchmark)]
    assert main(["prep", "clips", *arguments, "--destination", str(destination), *flags]) == 0
    return read_lines(destination / "clips.jsonl")


def test_every_clip_is_taken_once_whatever_its_length(benchmark, tmp_path):
    clips = clips_of(benchmark, tmp_path / "one")
    assert [clip["clip"] for clip in clips] == [CLIPS[2], CLIPS[0], CLIPS[1], CLIPS[3]]
    assert clips[1] == {
        "clip": CLIPS[0],
        "video": "a_b-1.mp4",
        "start": 0.25,
        "end": 2.5,
        "keystep": "",
        "activity": "",
        "narration": "",
        "split": "benchmark",
    }
    only = clips_of(benchmark / "diffcap_dataset.jsonl", tmp_path / "other", "--shortest", "2")
    assert [clip["clip"] for clip in only] == [CLIPS[0]]


def test_clips_become_a_dataset_and_missing_videos_are_named(benchmark, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    for name in ("a_b-1.mp4", "c.mkv"):
        write_video(tmp_path / "videos" / name, brightness=100)
    records = tmp_path / "records"
    clips = clips_of(benchmark, records, "--videos", str(tmp_path / "videos"))
    assert len(clips) == 3
    assert "1 of 3 videos have no file, such as 'gone'" in capsys.readouterr().err
    (missing,) = read_lines(records / "clips.quarantine.jsonl")
    assert (missing["video"], missing["reason"]) == ("gone", "video file is missing")
    frames = ["--clips", str(records / "clips.jsonl"), "--processes", "1"]
    assert main(["prep", "frames", *frames, "--destination", str(records / "frames.jsonl")]) == 0
    assert main(["prep", "pack", "--source", str(records), "--destination", f"{tmp_path}/d"]) == 0
    assert clip_ids(tmp_path / "d", "benchmark") == (CLIPS[2], CLIPS[0], CLIPS[1])


def test_what_is_no_benchmark_is_named(benchmark, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    arguments = ["prep", "clips", "--source", "benchmark", "--destination", str(tmp_path / "d")]
    assert main([*arguments, "--annotations", str(tmp_path / "empty")]) == 2
    assert "empty: has none of diffcap_dataset.jsonl, diffmcq" in capsys.readouterr().err
    assert main([*arguments, "--annotations", str(tmp_path / "no.jsonl")]) == 2
    assert "no.jsonl: cannot be read: No such file" in capsys.readouterr().err
    (benchmark / "diffcap_dataset.jsonl").write_text(json.dumps({**CAP, "candidate": "c_1"}))
    assert main([*arguments, "--annotations", str(benchmark)]) == 2
    assert "line 1: field 'candidate': clip id must be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("no.mp4", "video file is missing"),
        ("x" * 300, "video file cannot be opened"),
        ("a\0b", "video file is missing"),
        ("\ud83d", "video file is missing"),
    ],
)
def test_a_name_that_no_file_can_have_is_a_reason(tmp_path, name, kind):
    found = file_problem(tmp_path / name)
    assert found is not None
    assert found.kind == kind
    assert file_problem(tmp_path) is None
