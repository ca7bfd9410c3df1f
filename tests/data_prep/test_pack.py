"""Packing: whole datasets or none, and one line of error that names the file and the line."""

import shutil
from pathlib import Path

import pytest

from data_prep.pack import pack
from record_sources import read_lines, write_lines, write_source
from stepdiff_jax.data.records import dataset_path, open_records
from stepdiff_jax.errors import InputError


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("pristine") / "source")


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
    assert pack(source, destination, processes=1) == counts
    written = {kind: dataset_path(destination, kind).stat().st_mtime_ns for kind in counts}
    edit(source / "pairs.jsonl", 2, questions=[{"question": "new", "answer": "YES"}])
    assert pack(source, destination, processes=1) == counts
    for kind, before in written.items():
        changed = dataset_path(destination, kind).stat().st_mtime_ns != before
        assert changed == (kind == "pairs")
    assert open_records(destination, "pairs", "train")[1].questions[0].question == "new"


def test_several_processes_pack_what_one_packs(source, tmp_path):
    for processes in (1, 2):
        pack(source, tmp_path / str(processes), processes=processes)
    one, two = (open_records(tmp_path / name, "clips", "train") for name in ("1", "2"))
    for left, right in zip(one, two, strict=True):
        assert (left.id, left.frames) == (right.id, right.frames)


def test_what_a_killed_run_left_is_removed(source, tmp_path):
    left = dataset_path(tmp_path / "packed", "clips").with_name("incomplete.ABCDEF_1.0.0")
    left.mkdir(parents=True)
    (left / "half.array_record").touch()
    pack(source, tmp_path / "packed", processes=1)
    assert [path.name for path in left.parent.iterdir()] == ["1.0.0"]


def test_order_holds_over_several_shards(source, tmp_path):
    pack(source, tmp_path / "packed", processes=1, shard_records=5)
    assert len(list(dataset_path(tmp_path / "packed", "clips").glob("*train*"))) == 3
    rows = [row["clip"] for row in read_lines(source / "clips.jsonl") if row["split"] == "train"]
    assert [record.id for record in open_records(tmp_path / "packed", "clips", "train")] == rows
    pairs = open_records(tmp_path / "packed", "pairs", "train")
    numbers = [int(record.questions[0].question.split()[-1]) for record in pairs]
    assert numbers == list(range(132))


def test_only_clips_are_required(source, tmp_path):
    for name in ("pairs", "sequences", "single"):
        (source / f"{name}.jsonl").unlink()
    assert pack(source, tmp_path / "packed", processes=1) == {"clips": 15}


@pytest.mark.parametrize(
    ("file", "number", "changes", "message"),
    [
        ("clips", 3, {"video": "videos/x.mp4"}, "field 'video' names no file .*got 'videos/x.mp4'"),
        ("clips", 2, {"clip": "train-0_0_1.5"}, "field 'clip' is named in line 1 too"),
        ("clips", 2, {"end": 1.0}, r"field 'end' must come after start \(2\), got 1.0"),
        ("clips", 2, {"start": -1}, "field 'start' must not be negative, got -1.0"),
        ("clips", 2, {"start": "2"}, "field 'start' must be a finite number, got '2'"),
        ("clips", 2, {"start": True}, "field 'start' must be a finite number, got True"),
        ("clips", 4, {"keystep": None}, "field 'keystep' is missing"),
        ("clips", 4, {"split": "train-1"}, "field 'split' must be a word"),
        (
            "pairs",
            7,
            {"reference": "no_0_1"},
            r"names a clip that clips\.jsonl lacks, got 'no_0_1'",
        ),
        ("pairs", 7, {"split": "validation"}, "a clip of split 'train' in split 'validation'"),
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
        pack(source, tmp_path / "packed", processes=1)
    assert not (tmp_path / "packed").exists()


def test_an_empty_or_missing_file_is_named(source, tmp_path):
    (source / "pairs.jsonl").write_text("")
    with pytest.raises(InputError, match=r"pairs\.jsonl: is empty"):
        pack(source, tmp_path / "packed")
    (source / "clips.jsonl").unlink()
    with pytest.raises(InputError, match=r"clips\.jsonl: cannot be read"):
        pack(source, tmp_path / "packed")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_broken_video_is_named_and_nothing_half_written_stays(source, tmp_path, processes):
    (source / "videos/train-2.mp4").write_bytes(b"this is no video" * 99)
    with pytest.raises(InputError, match=r"clips\.jsonl, line 7: clip 'train-2_0_1\.5': .*train-2"):
        pack(source, tmp_path / "packed", processes=processes)
    assert [path for path in (tmp_path / "packed").rglob("*.array_record*") if path.is_file()] == []
    with pytest.raises(InputError, match="no dataset here"):
        open_records(tmp_path / "packed", "clips", "train")
