"""`score_files`: the numbers that `stepdiff score` prints, from files."""

import json
import os

import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    DiffCap,
    DiffMCQ,
    DiffRank,
    read_diffrank,
    write_jsonl,
)
from stepdiff_jax.evaluation.caption_metrics import caption_metrics
from stepdiff_jax.evaluation.scoring import score_choices, score_files
from stepdiff_jax.evaluation.system import ChoiceQuestion

CLIPS = [f"video_{index}_{index + 5}" for index in range(5)]
OPTIONS = tuple((CLIPS[0], clip) for clip in CLIPS[1:])
CATEGORIES = ["Visuals", "Actions", "Visuals"]
TEXTS = ["chops a red onion , not a green one", "Stirs by hand", "a pan instead of a bowl"]
CAPTIONS = [
    ("cuts a red onion", "chops one onion , not a green one"),
    ("stirs by hand",),
    ("a bowl instead of a pan", "a pan, not a bowl"),
]

EXAMPLES = {
    "diffcap": [
        DiffCap(CLIPS[0], CLIPS[1], category, text) for category, text in zip(CATEGORIES, CAPTIONS)
    ],
    "diffmcq": [
        DiffMCQ("uses a pan", category, OPTIONS, OPTIONS[index])
        for index, category in enumerate(CATEGORIES)
    ],
    "diffrank": [
        DiffRank(CLIPS[0], tuple(CLIPS[1:]), category, (0, 2, 3, 5)) for category in CATEGORIES
    ],
}
PREDICTIONS = {
    "diffcap": [{"generated_text": text} for text in TEXTS],
    "diffmcq": [{"scores": scores} for scores in ([9, 1, 2, 3], [1, 2, 9, 3], [1, 2, 9, 3])],
    "diffrank": [{"scores": scores} for scores in ([1, 2, 3, 4], [4, 3, 2, 1], [1, 2, 4, 3])],
}


def _score(folder, task, examples, predictions):
    ground_truth, predicted = folder / "ground_truth.jsonl", folder / "predictions.jsonl"
    write_jsonl(ground_truth, examples)
    write_jsonl(predicted, predictions)
    report = score_files(task, ground_truth, predicted)
    json.dumps(report, allow_nan=False)
    assert report.pop("task") == task
    return report


def test_diffcap(tmp_path):
    report = _score(tmp_path, "diffcap", EXAMPLES["diffcap"], PREDICTIONS["diffcap"])
    by_category = report.pop("by_category")
    assert report == {**caption_metrics(TEXTS, CAPTIONS), "instances": 3}
    assert by_category == {
        "Actions": {**caption_metrics(TEXTS[1:2], CAPTIONS[1:2]), "instances": 1},
        "Visuals": {**caption_metrics(TEXTS[::2], CAPTIONS[::2]), "instances": 2},
    }


def test_diffmcq(tmp_path):
    report = _score(tmp_path, "diffmcq", EXAMPLES["diffmcq"], PREDICTIONS["diffmcq"])
    assert report == {
        "accuracy": pytest.approx(2 / 3),
        "instances": 3,
        "by_category": {
            "Actions": {"accuracy": 0.0, "instances": 1},
            "Visuals": {"accuracy": 1.0, "instances": 2},
        },
    }


def test_diffrank(tmp_path):
    report = _score(tmp_path, "diffrank", EXAMPLES["diffrank"], PREDICTIONS["diffrank"])

    def expected(tau, instances):
        tau = pytest.approx(tau)
        return {"ktau": tau, "ktau_nan_as_zero": tau, "undefined": 0, "instances": instances}

    assert report.pop("by_category") == {
        "Actions": expected(-1, 1),
        "Visuals": expected((1 + 4 / 6) / 2, 2),
    }
    assert report == expected((1 - 1 + 4 / 6) / 3, 3)


def test_choices_with_their_chance():
    questions = [
        ChoiceQuestion(("a.mp4", "b.mp4"), category, "which?", options, answer)
        for category, options, answer in (
            ("Counting", ("1", "2", "3", "4"), 3),
            ("Counting", ("yes", "no"), 1),
            ("Order", ("yes", "no"), 0),
        )
    ]
    report = score_choices(questions, [[0, 0, 0, 1], [1, 0], [1, 1]])
    assert report == {
        "accuracy": pytest.approx(2 / 3),
        "chance": pytest.approx(1.25 / 3),
        "instances": 3,
        "by_category": {
            "Counting": {"accuracy": 0.5, "chance": 0.375, "instances": 2},
            "Order": {"accuracy": 1.0, "chance": 0.5, "instances": 1},
        },
    }


def test_a_constant_line_makes_the_official_tau_null(tmp_path):
    predictions = [*PREDICTIONS["diffrank"][:2], {"scores": [2, 2, 2, 2]}]
    report = _score(tmp_path, "diffrank", EXAMPLES["diffrank"], predictions)
    assert report["ktau"] is None
    assert report["ktau_nan_as_zero"] == pytest.approx(0.0)
    assert report["undefined"] == 1
    assert report["by_category"]["Actions"]["ktau"] == pytest.approx(-1)
    assert report["by_category"]["Visuals"]["ktau"] is None


@pytest.mark.parametrize("task", EXAMPLES)
def test_different_lengths_name_both_counts(task, tmp_path):
    with pytest.raises(InputError, match=r"has 2 predictions for the 3 instances of .*ground"):
        _score(tmp_path, task, EXAMPLES[task], PREDICTIONS[task][:2])


def test_unknown_task(tmp_path):
    with pytest.raises(InputError, match="got 'ranking'"):
        score_files("ranking", tmp_path / "a", tmp_path / "b")


@pytest.mark.skipif(
    "STEPDIFF_DIFFRANK" not in os.environ,
    reason="STEPDIFF_DIFFRANK is not set: the path of the authors' diffrank_dataset.jsonl",
)
def test_the_ceiling_of_untied_predictions_on_the_released_file(tmp_path):
    examples = read_diffrank(os.environ["STEPDIFF_DIFFRANK"])
    ideal = [
        {"scores": [score + 0.1 * index for index, score in enumerate(example.scores)]}
        for example in examples
    ]
    report = _score(tmp_path, "diffrank", examples, ideal)
    assert report["ktau"] == pytest.approx(0.925, abs=5e-4)
    assert report["instances"] == 4080
