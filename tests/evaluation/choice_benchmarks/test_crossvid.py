"""CrossVid's tasks of one correct choice, in their published files."""

import json
from pathlib import Path
from typing import Any

import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.choice_benchmarks.crossvid import BETWEEN, read

COMMON = {"id": 5, "options": ["A. a pan", "B. a bowl", "C. a wok"], "answer": "B"}
FOUR = {"videos": [f"cook/{letter}.mp4" for letter in "abcd"], "question": "Which tool is used?"}
FILES: dict[str, dict[str, Any]] = {
    "NC": {**COMMON, **FOUR},
    "CC": {**COMMON, **FOUR, "answer": "C"},
    "PEA": {
        **COMMON,
        "videos": ["assembly/a.mp4", "assembly/b.mp4", "assembly/c.mp4"],
        "begin": [0, 3.5, "12"],
        "end": [8, 10.25, "20"],
        "question": "Which video has an error?",
    },
    "PI": {**COMMON, "video": "movie/m.mp4", "beginning": [0, 30], "ending": [[60, 70], [75, 90]]},
}


def write(directory: Path, **changed: dict[str, Any]) -> Path:
    (directory / "QA").mkdir()
    for name, item in FILES.items():
        path = directory / "QA" / f"{name}.json"
        path.write_text(json.dumps([item | changed.get(name, {})]))
    return directory


def test_questions_of_the_four_tasks(tmp_path):
    narrative, culinary, errors, plot = read(write(tmp_path))
    assert narrative.clips == tuple(FOUR["videos"])
    assert (narrative.options, narrative.answer) == (("a pan", "a bowl", "a wok"), 1)
    assert (culinary.category, culinary.answer) == ("Culinary Comparison", 2)
    assert errors.clips == (
        "assembly/a.mp4@0-8",
        "assembly/b.mp4@3.5-10.25",
        "assembly/c.mp4@12-20",
    )
    assert (plot.category, plot.question) == ("Plot Inference", BETWEEN)
    assert plot.clips == ("movie/m.mp4@0-30", "movie/m.mp4@60-90")


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        ("NC", {"videos": ["a.mp4"]}, "'videos' must be at least two, got ['a.mp4']"),
        ("NC", {"answer": ["A", "B"]}, "'answer' must be a string, got ['A', 'B']"),
        ("PEA", {"begin": [0, 1]}, "'begin' must be a list of 3, got [0, 1]"),
        (
            "PEA",
            {"end": [8, 1, 20]},
            "'end' must be a span that ends after it starts, got [3.5",
        ),
        ("PEA", {"end": [8, "x", 20]}, "'end' must hold seconds, got 'x'"),
        ("PEA", {"end": [8, float("nan"), 20]}, "'end' must be a span that ends after it"),
        ("PI", {"ending": [[1, 2], 3]}, "'ending' must be [start, end], or a list of such, got"),
        ("PI", {"ending": [1]}, "'ending' must be [start, end], or a list of such, got [1]"),
    ],
)
def test_what_is_wrong_is_named_with_its_question(tmp_path, task, fields, message):
    with pytest.raises(InputError) as error:
        read(write(tmp_path, **{task: fields}))
    place = f"{tmp_path / 'QA' / task}.json, question 5: field "
    assert str(error.value).startswith(place + message)


def test_a_missing_task_is_no_smaller_benchmark(tmp_path):
    (write(tmp_path) / "QA/PEA.json").unlink()
    with pytest.raises(InputError, match=r"QA/PEA\.json: cannot be read: No such file"):
        read(tmp_path)
