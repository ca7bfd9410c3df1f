"""VidDiffBench's closed form, from Parquet as published and from JSON Lines."""

import json
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.choice_benchmarks.viddiffbench import OPTIONS, read
from stepdiff_jax.evaluation.system import ChoiceQuestion
from stepdiff_jax.jsonl import write_jsonl

VIDEOS = [
    {"path": "./data/videos/a.mp4", "fps_original": 8, "frames_trim": [4, 21]},
    {"path": "data/videos/b.mov", "fps_original": 30.0, "frames_trim": [0, None]},
]
ANNOTATED = {
    "0": {"name": "stance", "description": "the feet stance is wider", "num_frames": "1"},
    "1": {"name": "speed", "description": "the hips turn faster"},
    "2": {"name": "depth", "description": "the squat is deeper"},
    "3": None,
}


def row(**changed: Any) -> dict[str, Any]:
    """As published: nested values are strings of JSON."""
    nested = {
        "videos": VIDEOS,
        "differences_annotated": ANNOTATED,
        "differences_gt": {"0": "b", "1": "a", "2": "c", "3": None},
    }
    texts = {"sample_key": "x_0", "split": "easy", "action_description": "a squat"}
    return texts | {name: json.dumps(changed.get(name, nested[name])) for name in nested}


def expected(difference: str, answer: int) -> ChoiceQuestion:
    question = (
        f'Two people do this: "a squat" Of which video is the statement "{difference}" more true?'
    )
    clips = ("data/videos/a.mp4@0.5-2.5", "data/videos/b.mov")
    return ChoiceQuestion(clips, "easy", question, OPTIONS, answer)


QUESTIONS = [expected("the feet stance is wider", 1), expected("the hips turn faster", 0)]


def test_parquet_files_as_released(tmp_path):
    (tmp_path / "data").mkdir()
    rows = [row() | {"vid0_thumbnail": b"\xff"}] * 2
    path = tmp_path / "data/test-00000-of-00001.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert read(tmp_path) == [*QUESTIONS, *QUESTIONS]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"parquet: cannot be read as Parquet: .*"):
        read(tmp_path)


def test_the_same_rows_as_json_lines_with_or_without_strings_of_json(tmp_path):
    decoded = {
        name: json.loads(value) if value[0] in "{[" else value for name, value in row().items()
    }
    write_jsonl(tmp_path / "rows.jsonl", [row(), decoded])
    assert read(tmp_path) == [*QUESTIONS, *QUESTIONS]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"videos": VIDEOS[:1]}, "'videos' must hold two videos, got ["),
        ({"videos": [{}, {}]}, "'videos' must each have a path, got {}"),
        (
            {"videos": [VIDEOS[1] | {"frames_trim": [3, 4]}] * 2},
            "'videos' must be a span that ends after it starts, got [0.1, 0.1]",
        ),
        (
            {"videos": [VIDEOS[0] | {"fps_original": 0}] * 2},
            "'videos' must each have a positive",
        ),
        ({"videos": [VIDEOS[0] | {"frames_trim": [3]}] * 2}, "'videos' must each have frames_trim"),
        ({"differences_gt": ["a"]}, "'differences_gt' must be a JSON object, got ['a']"),
        (
            {"differences_gt": {"3": "a"}},
            "'differences_annotated' has no description of difference '3', got None",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path, fields, message):
    write_jsonl(tmp_path / "rows.jsonl", [row(), row(**fields)])
    with pytest.raises(InputError) as error:
        read(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'rows.jsonl'}, question 2: field {message}")


def test_no_questions(tmp_path):
    with pytest.raises(InputError, match="no Parquet file, in data/ neither, and no JSON Lines"):
        read(tmp_path)
    write_jsonl(tmp_path / "rows.jsonl", [row(differences_gt={"0": "c"})])
    with pytest.raises(InputError, match="no difference has an answer, a or b"):
        read(tmp_path)
