"""`--retry-quarantined`: what was quarantined is tried again, and the others are kept."""

import json
from pathlib import Path

import pytest

from data.test_video import write_video
from faulty_server import serve
from launch.cli import main
from record_sources import read_lines, write_lines

TIMES = [number / 10 for number in range(30)]


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def frames(directory: Path, destination: str, *more: str) -> int:
    command = f"prep frames --clips {directory}/clips.jsonl --processes 1 --destination"
    return main([*command.split(), str(directory / destination / "frames.jsonl"), *more])


def test_a_clip_whose_video_has_come_is_decoded_and_no_other(tmp_path, capsys):
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", TIMES)
    rows = [{"clip": f"{name}_0_1", "video": f"{name}.mp4", "start": 0, "end": 1} for name in "abc"]
    write_lines(tmp_path / "clips.jsonl", rows)
    assert frames(tmp_path, "whole") == 0
    (tmp_path / "b.mp4").rename(tmp_path / "later.mp4")
    assert frames(tmp_path, "again") == 0
    assert json.loads((tmp_path / "again/frames.summary.json").read_text())["out"] == 2
    (tmp_path / "later.mp4").rename(tmp_path / "b.mp4")
    capsys.readouterr()
    assert frames(tmp_path, "again") == 0
    assert "already done" in capsys.readouterr().err
    assert frames(tmp_path, "again", "--retry-quarantined") == 0
    assert "frames: 1/1 records" in capsys.readouterr().err
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")
    assert frames(tmp_path, "again", "--retry-quarantined") == 0
    assert "already done" in capsys.readouterr().err


def describe(directory: Path, address: str, *more: str) -> int:
    command = f"prep describe --clips {directory}/clips.jsonl --destination {directory}/d.jsonl"
    served = ["--model.name", "m", "--model.base-url", address, "--model.concurrency", "1"]
    return main([*command.split(), *served, *more])


@pytest.fixture
def quarantined(tmp_path) -> Path:
    """Three described clips, of which the second was refused."""
    rows = [{"clip": f"v_{n}_9", "keystep": f"stir {n}", "narration": "x"} for n in range(3)]
    write_lines(tmp_path / "clips.jsonl", rows)
    with serve(lambda text: "so it is", [200, 400]) as (address, _):
        assert describe(tmp_path, address) == 0
    assert [row["clip"] for row in read_lines(tmp_path / "d.jsonl")] == ["v_0_9", "v_2_9"]
    return tmp_path


def test_answers_are_kept_and_the_refused_prompt_is_asked_again(quarantined):
    with serve(lambda text: "now it is") as (address, served):
        assert describe(quarantined, address, "--retry-quarantined") == 0
    assert len(served.prompts) == 1 and "stir 1" in served.prompts[0]
    rows = read_lines(quarantined / "d.jsonl")
    assert [row["description"] for row in rows] == ["so it is", "now it is", "so it is"]
    summary = json.loads((quarantined / "d.summary.json").read_text())
    assert (summary["out"], summary["dropped"], summary["counts"]["calls"]) == (3, {}, 3)


def test_a_retry_while_the_server_is_down_loses_nothing(quarantined):
    assert describe(quarantined, "http://127.0.0.1:9/v1", "--retry-quarantined") == 75
    with serve(lambda text: "now it is") as (address, served):
        assert describe(quarantined, address) == 0
    assert len(served.prompts) == 1
    assert len(read_lines(quarantined / "d.jsonl")) == 3


def test_other_changes_of_the_input_are_refused(quarantined, capsys):
    before = contents(quarantined)
    rows = read_lines(quarantined / "clips.jsonl")
    rows[0]["keystep"] = "fold"
    write_lines(quarantined / "clips.jsonl", rows)
    assert describe(quarantined, "http://127.0.0.1:9/v1", "--retry-quarantined") == 2
    assert "not only the quarantined records differ" in capsys.readouterr().err
    after = contents(quarantined)
    assert {name for name in before if before[name] != after[name]} == {"clips.jsonl"}


def test_the_quarantined_record_itself_may_have_changed(quarantined):
    rows = read_lines(quarantined / "clips.jsonl")
    rows[1]["narration"] = "shorter"
    write_lines(quarantined / "clips.jsonl", rows)
    with serve(lambda text: "now it is") as (address, served):
        assert describe(quarantined, address, "--retry-quarantined") == 0
    assert len(served.prompts) == 1 and "shorter" in served.prompts[0]


def test_a_stage_that_costs_nothing_is_done_anew(tmp_path, capsys):
    rows = [{"clip": f"v{n}_0_9", "keystep": "stir", "split": "train"} for n in range(3)]
    write_lines(tmp_path / "clips.jsonl", [*rows, {"clip": "v0_0_9", "keystep": "x", "split": "t"}])
    command = f"prep pair --clips {tmp_path}/clips.jsonl --destination {tmp_path}/p.jsonl"
    assert main(command.split()) == 0
    before = contents(tmp_path)
    capsys.readouterr()
    assert main([*command.split(), "--retry-quarantined"]) == 0
    assert "already done" not in capsys.readouterr().err
    assert contents(tmp_path) == before
