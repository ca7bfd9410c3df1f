"""Packing: whole datasets or none, and one line of error that names the file and the line."""

import json
import shutil
from pathlib import Path

import pytest

from data_prep.records.pack import pack
from launch.cli import main
from record_sources import read_lines, write_lines, write_source
from stepdiff_jax.data.records import dataset_path, open_records
from stepdiff_jax.data.video import decoder_version
from stepdiff_jax.errors import InputError


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("pristine") / "source")


@pytest.fixture(scope="module")
def packed(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("packed") / "data"
    pack(pristine, data)
    return data


@pytest.fixture
def source(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "source")


def edit(path: Path, number: int, **changes) -> None:
    """Change (or with None remove) fields of one line, counted from 1."""
    rows = read_lines(path)
    row = {**rows[number - 1], **changes}
    rows[number - 1] = {name: value for name, value in row.items() if value is not None}
    write_lines(path, rows)


def test_packing_again_keeps_what_is_there_and_replaces_what_changed(source, tmp_path):
    destination = tmp_path / "packed"
    counts = {"clips": 15, "pairs": 138, "sequences": 5, "single": 15}
    assert pack(source, destination) == counts
    written = {kind: dataset_path(destination, kind).stat().st_mtime_ns for kind in counts}
    edit(source / "pairs.jsonl", 2, questions=[{"question": "new", "answer": "YES"}])
    assert pack(source, destination) == counts
    for kind, before in written.items():
        changed = dataset_path(destination, kind).stat().st_mtime_ns != before
        assert changed == (kind == "pairs")
    assert open_records(destination, "pairs", "train")[1].questions[0].question == "new"


def test_what_a_killed_run_left_is_removed(source, tmp_path):
    left = dataset_path(tmp_path / "packed", "clips").with_name("incomplete.ABCDEF_1.0.0")
    left.mkdir(parents=True)
    (left / "half.array_record").touch()
    pack(source, tmp_path / "packed")
    assert [path.name for path in left.parent.iterdir()] == ["1.0.0"]


def test_order_holds_over_several_shards(source, tmp_path):
    pack(source, tmp_path / "packed", shard_records=5)
    assert len(list(dataset_path(tmp_path / "packed", "clips").glob("*train*"))) == 3
    rows = [row["clip"] for row in read_lines(source / "clips.jsonl") if row["split"] == "train"]
    assert [record.id for record in open_records(tmp_path / "packed", "clips", "train")] == rows
    pairs = open_records(tmp_path / "packed", "pairs", "train")
    numbers = [int(record.questions[0].question.split()[-1]) for record in pairs]
    assert numbers == list(range(132))


def test_only_clips_are_required(source, tmp_path):
    for name in ("pairs", "sequences", "single"):
        (source / f"{name}.jsonl").unlink()
    assert pack(source, tmp_path / "packed") == {"clips": 15}


@pytest.mark.parametrize(
    ("file", "number", "changes", "message"),
    [
        ("clips", 2, {"clip": "train-0_0_1.5"}, "field 'clip' is also in line 1"),
        ("frames", 3, {"sha256": None}, "field 'sha256' is missing"),
        ("frames", 3, {"times": ["0"]}, "field 'times' must hold numbers only"),
        ("frames", 2, {"clip": "train-0_0_1.5"}, "field 'clip' appears twice"),
        ("clips", 4, {"keystep": None}, "field 'keystep' is missing"),
        ("clips", 4, {"split": "train-1"}, "field 'split' must be a word"),
        (
            "pairs",
            7,
            {"reference": "no_0_1"},
            r"names a clip that is not in clips\.jsonl, got 'no_0_1'",
        ),
        (
            "pairs",
            7,
            {"split": "validation"},
            "a clip of split 'train' in a record of split 'validation'",
        ),
        ("pairs", 7, {"questions": []}, "field 'questions' must be a non-empty list"),
        ("pairs", 7, {"questions": ["q"]}, "field 'questions' must hold objects, got 'q'"),
        ("pairs", 7, {"questions": [{"question": "q"}]}, "field 'answer' is missing"),
        (
            "pairs",
            7,
            {"questions": [{"question": "q", "answer": "a", "weight": 0}]},
            "field 'weight' must be positive, got 0.0",
        ),
        ("sequences", 1, {"clips": ["train-0_0_1.5"]}, "must name at least two clips"),
        ("sequences", 1, {"narrations": ["a", "b"]}, "field 'narrations' must be a list of 3"),
        ("single", 5, {"narrations": [" "]}, "field 'narrations' must not be empty"),
    ],
)
def test_a_bad_line_is_named_before_anything_is_written(
    source, tmp_path, file, number, changes, message
):
    path = source / f"{file}.jsonl"
    edit(path, number, **changes)
    with pytest.raises(InputError, match=f"{path}, line {number}: .*{message}"):
        pack(source, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_an_empty_or_missing_file_is_named(source, tmp_path):
    (source / "pairs.jsonl").write_text("")
    with pytest.raises(InputError, match=r"pairs\.jsonl: is empty"):
        pack(source, tmp_path / "packed")
    (source / "clips.jsonl").unlink()
    with pytest.raises(InputError, match=r"clips\.jsonl: cannot be read"):
        pack(source, tmp_path / "packed")


def test_damaged_frames_are_named_and_nothing_half_written_stays(source, tmp_path):
    file = source / "frames/train-2/train-2_0_1.5.tar"
    data = bytearray(file.read_bytes())
    data[700] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"train-2_0_1\.5\.tar: does not match its SHA-256"):
        pack(source, tmp_path / "packed")
    assert not list((tmp_path / "packed").rglob("*.array_record*"))
    with pytest.raises(InputError, match="no dataset here"):
        open_records(tmp_path / "packed", "clips", "train")
    file.unlink()
    with pytest.raises(InputError, match=r"train-2_0_1\.5\.tar: cannot be read"):
        pack(source, tmp_path / "packed")


def test_what_refers_to_a_clip_without_frames_is_left_out_and_counted(source, tmp_path):
    rows = read_lines(source / "frames.jsonl")
    write_lines(source / "frames.jsonl", rows[:1] + rows[2:])
    lost = rows[1]["clip"]
    # Clip 2 of 12 is in 11 pairs each way, one sequence and one single.
    counts = {"clips": 14, "pairs": 138 - 22, "sequences": 4, "single": 14}
    assert pack(source, tmp_path / "packed") == counts
    clips = open_records(tmp_path / "packed", "clips", "train")
    assert lost not in [record.id for record in clips]
    first = next(row for row in read_lines(source / "pairs.jsonl") if lost not in row.values())
    record = open_records(tmp_path / "packed", "pairs", "train")[0]
    ids = (clips[record.reference].id, clips[record.candidate].id)
    assert ids == (first["reference"], first["candidate"])
    summary = json.loads((tmp_path / "packed/pack.summary.json").read_text())
    assert summary["in"] == {"clips": 15, "pairs": 138, "sequences": 5, "single": 15}
    assert summary["out"] == counts
    lost_records = {"clips": 1, "pairs": 22, "sequences": 1, "single": 1}
    assert summary["dropped"] == {"a clip without frames": lost_records}
    assert summary["decoders"] == [decoder_version()]


def test_frames_are_needed(source, tmp_path):
    other = {"clip": "x_0_1", "file": "f", "sha256": "0", "times": [0], "decoder": ""}
    write_lines(source / "frames.jsonl", [other])
    with pytest.raises(
        InputError, match=r"frames\.jsonl: has no frames of any clip in clips\.jsonl"
    ):
        pack(source, tmp_path / "packed")
    (source / "frames.jsonl").unlink()
    with pytest.raises(InputError, match=r"frames\.jsonl: no such file \(stepdiff prep frames"):
        pack(source, tmp_path / "packed")


def test_half_a_character_is_packed_and_shown_as_the_replacement_character(source, tmp_path):
    edit(source / "pairs.jsonl", 1, questions=[{"question": "what?", "answer": "this \ud83d"}])
    data, page = tmp_path / "data", tmp_path / "page.html"
    assert main(["prep", "pack", "--source", str(source), "--destination", str(data)]) == 0
    inspect = ["prep", "inspect", "--source", str(source), "--sample", "999"]
    assert main([*inspect, "--destination", str(page)]) == 0
    (question,) = open_records(data, "pairs", "train")[0].questions
    assert question.answer == "this \ufffd"
    assert "this \ufffd" in page.read_text()


@pytest.mark.parametrize(
    ("pattern", "content"),
    [
        ("dataset_info.json", b"{"),
        ("dataset_info.json", b"{}"),
        ("features.json", None),
        ("metadata.json", b"[]"),
        ("metadata.json", None),
        ("*-train.array_record*", None),
        ("*-train.array_record*", b""),
        ("*-train.array_record*", bytes(100_000)),
    ],
)
def test_a_damaged_dataset_is_named(packed, tmp_path, pattern, content):
    data = shutil.copytree(packed, tmp_path / "data")
    (path,) = dataset_path(data, "clips").glob(pattern)
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=r"clips/1\.0\.0(/metadata\.json)?: .*run prep pack again"):
        print(open_records(data, "clips", "train")[0])
