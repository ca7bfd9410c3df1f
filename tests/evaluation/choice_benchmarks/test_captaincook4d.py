"""CaptainCook4D's pairs, from the released annotations to questions."""

import pytest

from captaincook4d_files import write_captaincook4d
from data_prep.sources.captaincook4d import CaptainCook4D
from data_prep.sources.differences import write_differences
from stepdiff_jax.data.clip_ids import parse_clip_id
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.choice_benchmarks.captaincook4d import OPTIONS, read
from stepdiff_jax.evaluation.choice_benchmarks.registry import CHOICE_BENCHMARKS, choice_reader
from stepdiff_jax.jsonl import read_jsonl, write_jsonl


def test_each_error_is_asked_about_once(tmp_path):
    source = CaptainCook4D(write_captaincook4d(tmp_path / "annotations"))
    write_differences(source, tmp_path / "differences.jsonl")
    lines = [line.fields for line in read_jsonl(tmp_path / "differences.jsonl")]
    questions = read(tmp_path)
    asked = [(line, caption) for line in lines for caption in line["captions"]]
    assert len(questions) == len(asked) > 2
    for one, (line, caption) in zip(questions, asked, strict=True):
        assert one.options == OPTIONS
        assert one.clips[one.answer] == line["candidate"]
        assert one.clips[1 - one.answer] == line["reference"]
        assert one.category == line["category"]
        assert caption in one.question
        assert all(parse_clip_id(clip) for clip in one.clips)
    assert read(tmp_path) == questions


def test_either_video_is_first_equally_often(tmp_path):
    pairs = [
        {
            "reference": f"1_{number}_0_5",
            "candidate": f"2_{number}_0_5",
            "keystep": "Cut",
            "category": "Technique",
            "captions": ["cut into pieces"],
        }
        for number in range(400)
    ]
    write_jsonl(tmp_path / "differences.jsonl", pairs)
    assert 160 < sum(one.answer for one in read(tmp_path)) < 240


def test_files_without_questions(tmp_path):
    with pytest.raises(InputError, match=r"no such file \(stepdiff prep differences writes it\)"):
        read(tmp_path)
    line = {"reference": "a_0_5", "candidate": "b_0_5", "keystep": "Cut", "category": "Technique"}
    write_jsonl(tmp_path / "differences.jsonl", [line | {"captions": []}])
    with pytest.raises(InputError, match="no pair has a caption"):
        read(tmp_path)
    write_jsonl(tmp_path / "differences.jsonl", [line | {"captions": "x"}])
    with pytest.raises(InputError, match="question 1: field 'captions' must be a non-empty list"):
        read(tmp_path)


def test_benchmarks_are_read_by_name(tmp_path):
    for name in CHOICE_BENCHMARKS:
        with pytest.raises(InputError, match=str(tmp_path)):
            choice_reader(name)(tmp_path)
    with pytest.raises(InputError, match="--task: must be one of captaincook4d, crossvid, cvbench"):
        choice_reader("nextqa")
