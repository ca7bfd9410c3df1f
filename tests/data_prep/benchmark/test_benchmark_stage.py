"""`stepdiff prep benchmark` and `validate`: what is quarantined, counted and written."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from data_prep.kitchen.oracle import TrueClip, annotated_differences
from data_prep.kitchen.world import KEYSTEPS, sample_scene
from launch.cli import main
from stepdiff_jax.evaluation.benchmark_files import TASKS, read_diffmcq, read_diffrank
from stepdiff_jax.jsonl import read_jsonl, write_jsonl

GOOD = {"reference": "a_0_1", "candidate": "b_0_1", "keystep": "mix", "category": "Actions",
        "captions": ["stirs"], "score": 2}  # fmt: skip
BAD = [
    ("clip id of another form", {"reference": "a"}),
    ("clip id of another form", {"candidate": "b_5_4"}),
    ("clip is compared with itself", {"candidate": "a_0_1"}),
    ("category is no text", {"category": None}),
    ("keystep is neither a text nor an integer", {"keystep": ["mix"]}),
    ("captions is no list of texts", {"captions": "stirs"}),
    ("caption is empty", {"captions": ["stirs", " "]}),
    ("score is no integer", {"score": 2.5}),
    ("score is no integer", {"score": True}),
    ("score is out of range", {"score": 6}),
]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    rng = np.random.default_rng(2)
    clips = [
        TrueClip(f"video{number}_{keystep}_{keystep + 1}", sample_scene(rng, "test", keystep))
        for number in range(10)
        for keystep in range(len(KEYSTEPS))
    ]
    return list(annotated_differences(clips, references=20, seed=0))


def benchmark(tmp_path: Path, rows: list[dict], *more: str) -> int:
    write_jsonl(tmp_path / "differences.jsonl", rows)
    files = f"--differences {tmp_path}/differences.jsonl --destination {tmp_path}/out"
    return main(["prep", "benchmark", *files.split(), *more])


def summary(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "out" / "benchmark.summary.json").read_text())


def test_bad_annotations_are_set_aside_and_nothing_else_is_lost(tmp_path, rows, capsys):
    bad = [{**GOOD, **change} for _, change in BAD]
    assert benchmark(tmp_path, [*bad[:4], *rows, *bad[4:]]) == 0
    aside = [line.fields for line in read_jsonl(tmp_path / "out" / "benchmark.quarantine.jsonl")]
    assert [row["reason"] for row in aside] == [reason for reason, _ in BAD]
    assert [row["line"] for row in aside][:5] == [1, 2, 3, 4, len(rows) + 5]
    found = summary(tmp_path)
    assert sum(found["dropped"].values()) == len(BAD)
    assert found["in"] == len(rows) + len(BAD)
    out, counts = found["out"], found["counts"]
    assert out["diffcap"] + counts["diffcap"]["pair without a difference"] == len(rows)
    assert out["diffmcq"] + sum(counts["diffmcq"].values()) == len(rows)
    assert out["diffrank"] + counts["diffrank"]["more than one tie"] == len(rows) / 4
    capsys.readouterr()
    for task in TASKS:
        path = tmp_path / "out" / f"{task}_dataset.jsonl"
        assert main(["prep", "validate", str(path), "--task", task]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["lines"] == out[task] == len(read_jsonl(path))
        assert told["lines of unknown category"] == 0


def test_the_same_again_does_nothing_and_something_else_is_an_error(tmp_path, rows, capsys):
    assert benchmark(tmp_path, rows) == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert benchmark(tmp_path, rows) == 0
    assert benchmark(tmp_path, rows, "--seed", "1") == 2
    assert "was made with seed = 0, not 1" in capsys.readouterr().err
    assert benchmark(tmp_path, rows[:-1]) == 2
    assert "other input" in capsys.readouterr().err
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert after == before


def test_a_limit_is_counted(tmp_path, rows):
    assert benchmark(tmp_path, rows, "--limit", "7") == 0
    found = summary(tmp_path)
    assert found["out"] == dict.fromkeys(TASKS, 7)
    assert found["counts"]["diffrank"]["beyond the limit"] > 0


def test_negatives_are_nearest_by_the_similarity_that_is_asked_for(tmp_path):
    """Rare words weigh more in cosines: the nearest to "adds saffron" are those with saffron."""
    texts = ["adds saffron", "stirs saffron", "takes saffron", "boils saffron"]
    texts += [f"adds {word}" for word in ("salt", "oil", "rice", "water", "peas", "milk", "tea")]
    rows = [
        {**GOOD, "reference": f"a{number}_0_1", "candidate": f"b{number}_0_1", "captions": [text]}
        for number, text in enumerate(texts)
    ]
    rows += [
        {**GOOD, "reference": "a_0_1", "candidate": f"c{score}_0_1", "captions": [], "score": score}
        for score in range(4)
    ]
    assert benchmark(tmp_path, rows, "--hard", "3") == 0
    first = read_diffmcq(tmp_path / "out" / "diffmcq_dataset.jsonl")[0]
    assert {reference for reference, _ in first.options} == {f"a{place}_0_1" for place in range(4)}


def test_annotations_without_an_instance_say_why(tmp_path, rows, capsys):
    assert benchmark(tmp_path, [{**row, "score": 3} for row in rows]) == 2
    error = capsys.readouterr().err
    assert "yield no instance of diffrank; left out: {'more than one tie': 100}" in error
    assert not list((tmp_path / "out").glob("*_dataset.jsonl"))
    assert benchmark(tmp_path, rows, "--hard", "2") == 2


RANK = {"reference": "a_0_1", "targets": ["b_0_1", "c_0_1", "d_0_1", "e_0_1"], "category": "x",
        "scores": [5, 3, 2, 2]}  # fmt: skip


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"scores": [5, 5, 2, 2]}, "more than one tie: [5, 5, 2, 2]"),
        ({"scores": [6, 3, 2, 1]}, "from 0 to 5, got [6, 3, 2, 1]"),
        ({"scores": [5, 3, 2]}, "a list of 4"),
        ({"targets": ["b_0_1"] * 4}, "a duplicate clip"),
        ({"targets": ["b", "c_0_1", "d_0_1", "e_0_1"]}, "clip id must be"),
    ],
)
def test_wrong_lines_are_counted_and_the_first_is_named(tmp_path, capsys, change, problem):
    path = tmp_path / "rank.jsonl"
    write_jsonl(path, [RANK, {**RANK, **change}, RANK, {**RANK, **change}])
    assert main(["prep", "validate", str(path), "--task", "diffrank"]) == 2
    error = capsys.readouterr().err
    assert "2 of 4 lines are invalid; the first" in error
    assert "line 2" in error
    assert problem in error


def test_unknown_categories_and_ties_are_told(tmp_path, capsys):
    path = tmp_path / "rank.jsonl"
    write_jsonl(path, [RANK, {**RANK, "category": "Visuals", "scores": [5, 3, 2, 1]}])
    assert main(["prep", "validate", str(path), "--task", "diffrank"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"task": "diffrank", "lines": 2, "clips": 5,
                    "categories": {"Visuals": 1, "x": 1}, "lines of unknown category": 1,
                    "lines with a tie": 1}  # fmt: skip


@pytest.mark.skipif(
    "STEPDIFF_DIFFRANK" not in os.environ,
    reason="STEPDIFF_DIFFRANK is not set: the path of the authors' diffrank_dataset.jsonl",
)
def test_the_released_file_is_valid(capsys):
    path = os.environ["STEPDIFF_DIFFRANK"]
    assert main(["prep", "validate", path, "--task", "diffrank"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lines"], told["clips"], told["lines with a tie"]) == (4080, 5946, 3504)
    assert told["lines of unknown category"] == 0
    assert len(read_diffrank(path)) == 4080
