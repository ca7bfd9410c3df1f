"""CVBench's published file, with its irregular questions, and options in general."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.choice_benchmarks.cvbench import read
from stepdiff_jax.evaluation.choice_benchmarks.items import JsonItem
from stepdiff_jax.evaluation.choice_benchmarks.lettered import read_options
from stepdiff_jax.evaluation.system import ChoiceQuestion


def question(number: int, options: Any, answer: Any, **others: Any) -> dict[str, Any]:
    return {
        "id": number,
        "task_type": "Joint-video Counting",
        "video_1": "7/ab_seg1.mp4",
        "video_2": "7/cd.mp4",
        "video_3": None,
        "video_4": None,
        "question": "How many pans are there?",
        "options": options,
        "answer": answer,
        **others,
    }


def write(directory: Path, *questions: Any) -> Path:
    (directory / "CVBench.json").write_text(json.dumps(questions))
    return directory


def test_questions_over_two_to_four_videos(tmp_path):
    letters = ["A. One.", "B. Two.", "C. Three.", "D. Four."]
    others = {"video_3": "7/e.mp4", "video_4": "7/f.mp4"}
    directory = write(tmp_path, question(0, letters, "C"), question(1, letters, "A", **others))
    two, four = read(directory)
    assert two == ChoiceQuestion(
        ("7/ab_seg1.mp4", "7/cd.mp4"),
        "Joint-video Counting",
        "How many pans are there?",
        ("One.", "Two.", "Three.", "Four."),
        2,
    )
    assert four.clips == ("7/ab_seg1.mp4", "7/cd.mp4", "7/e.mp4", "7/f.mp4")
    assert four.answer == 0


@pytest.mark.parametrize(
    ("options", "answer", "texts", "index"),
    [
        (["Yes.", "No."], "No", ("Yes.", "No."), 1),
        (["Yes. ", "No. "], "Yes", ("Yes.", "No."), 0),
        (["A. Yes.", "B. No."], "B", ("Yes.", "No."), 1),
        (["A. Yes.", "B. No."], "no", ("Yes.", "No."), 1),
        (["one", "two", "three"], "C", ("one", "two", "three"), 2),
        (["a pan", "U.S. cups"], "B", ("a pan", "U.S. cups"), 1),
        (["(A) x", "(B) y"], "A", ("x", "y"), 0),
        (
            ["A. Use tape, B. Fold it well, and twice, C. Widen the wings, D. Nothing"],
            "D",
            ("Use tape", "Fold it well, and twice", "Widen the wings", "Nothing"),
            3,
        ),
        (["A. 1.", "B. 2.", "B. Both.", "B. None."], "A", ("1.", "2.", "Both.", "None."), 0),
    ],
)
def test_options_as_they_are_written(tmp_path, options, answer, texts, index):
    (found,) = read(write(tmp_path, question(3, options, answer)))
    assert (found.options, found.answer) == (texts, index)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"options": ["Use tape, or fold it"]}, "'options' must hold at least two options, got ["),
        ({"options": []}, "'options' must be a non-empty list, got []"),
        ({"options": ["A. x", "y"]}, "'options' must all have letters, or none, got ["),
        ({"options": ["Yes.", "yes"]}, "'options' must hold options that differ, got ["),
        ({"answer": "E"}, "'answer' must be one of the 4 options or its letter, got 'E'"),
        ({"answer": 2}, "'answer' must be a string, got 2"),
        (
            {"options": ["A. x", "B. y", "B. z"], "answer": "B"},
            "'answer' must be one of the 3 options or its letter, got 'B'",
        ),
        ({"video_2": None}, "'video_2' must be one of two to four videos without a gap, got ["),
        ({"video_4": "x.mp4"}, "'video_2' must be one of two to four videos without a gap, got ["),
        ({"video_1": 3}, "'video_1' must be a string, got 3"),
        ({"task_type": " "}, "'task_type' must not be empty, got ''"),
    ],
)
def test_what_is_wrong_is_named_with_its_question(tmp_path, fields, message):
    written = question(996, ["A. x", "B. y", "C. z", "D. w"], "A") | fields
    with pytest.raises(InputError) as error:
        read(write(tmp_path, question(1, ["Yes.", "No."], "No"), written))
    place = f"{tmp_path / 'CVBench.json'}, question 996: field "
    assert str(error.value).startswith(place + message)


def test_other_files(tmp_path):
    with pytest.raises(InputError, match=r"CVBench\.json: cannot be read: No such file"):
        read(tmp_path)
    with pytest.raises(InputError, match="item 1: must be a JSON object, got 3"):
        read(write(tmp_path, 3))


TEXTS = st.lists(st.text("abc ,.", min_size=1).map(lambda text: f"x{text}y"), unique=True)


@given(TEXTS.filter(lambda texts: 2 <= len(texts) <= 26), st.data())
def test_letters_come_off_and_the_answer_stays(texts, data):
    index = data.draw(st.integers(0, len(texts) - 1))
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index]
    written = [f"{chr(65 + place)}. {text}" for place, text in enumerate(texts)]
    for options in (written, texts):
        found = read_options(JsonItem(Path("f"), 1, {"options": options, "answer": letter}))
        assert found == (tuple(texts), index)
