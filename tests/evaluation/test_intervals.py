"""Bootstrap intervals, and the difference of two systems."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank
from stepdiff_jax.evaluation.intervals import intervals, paired_comparison
from stepdiff_jax.evaluation.scoring import score_examples
from stepdiff_jax.evaluation.system import ChoiceQuestion

WORDS = ["the", "pan", "bowl", "red", "chili", "cuts", "onion", "stirs"]
CLIPS = tuple(f"v_{start}_{start + 1}" for start in range(5))
CATEGORIES = ("Actions", "Tools/Equipment")


def _made(seed: int, count: int = 40) -> dict:
    """Task -> examples, a system's predictions and those of one that guesses."""
    random = np.random.default_rng(seed)

    def sentence() -> str:
        return " ".join(random.choice(WORDS, size=random.integers(3, 9)))

    categories = [CATEGORIES[number % 2] for number in range(count)]
    captions = [DiffCap(*CLIPS[:2], one, (sentence(), sentence())) for one in categories]
    options = tuple((CLIPS[0], clip) for clip in CLIPS[1:])
    answers = random.integers(4, size=count)
    questions = [
        DiffMCQ("a pan", one, options, options[answer]) for one, answer in zip(categories, answers)
    ]
    rankings = [
        DiffRank(CLIPS[0], CLIPS[1:], one, tuple(random.permutation(4).tolist()))
        for one in categories
    ]
    noise = random.normal(size=(count, 4))
    return {
        "diffcap": (
            captions,
            [f"{one.text[0]} the pan" if random.random() < 0.5 else sentence() for one in captions],
            [sentence() for _ in captions],
        ),
        "diffmcq": (questions, (np.eye(4)[answers] + 0.5 * noise).tolist(), noise.tolist()),
        "diffrank": (
            rankings,
            (np.array([one.scores for one in rankings]) + noise).tolist(),
            noise.tolist(),
        ),
    }


TASKS = ("diffcap", "diffmcq", "diffrank")


@pytest.mark.parametrize("task", TASKS)
def test_intervals_hold_the_official_figures_overall_and_by_category(task):
    examples, predictions, _ = _made(1)[task]
    found, official = (
        intervals(task, examples, predictions),
        score_examples(task, examples, predictions),
    )
    assert set(found["by_category"]) == set(CATEGORIES)
    for report, metrics in (
        (found, official),
        *((found["by_category"][name], official["by_category"][name]) for name in CATEGORIES),
    ):
        for name in set(report) - {"by_category"}:
            assert report[name]["low"] < metrics[name] < report[name]["high"]


def test_an_interval_is_as_wide_as_that_of_a_mean():
    examples, predictions, _ = _made(2, 400)["diffmcq"]
    share = score_examples("diffmcq", examples, predictions)["accuracy"]
    deviation = (share * (1 - share) / 400) ** 0.5
    found = intervals("diffmcq", examples, predictions)["accuracy"]
    assert found["low"] == pytest.approx(share - 1.96 * deviation, abs=0.01)
    assert found["high"] == pytest.approx(share + 1.96 * deviation, abs=0.01)


@pytest.mark.parametrize("task", TASKS)
def test_a_comparison_is_the_difference_of_the_official_figures(task):
    examples, predictions, others = _made(3, 80)[task]
    found = paired_comparison(task, examples, predictions, others)
    first, second = (score_examples(task, examples, one) for one in (predictions, others))
    for name in set(found) - {"by_category"}:
        assert found[name]["difference"] == pytest.approx(first[name] - second[name], abs=1e-9)
        assert 0 < found[name]["low"] < found[name]["difference"] < found[name]["high"]
        assert found[name]["better"] > 0.97
    for name in CATEGORIES:
        for metric, one in found["by_category"][name].items():
            wanted = (report["by_category"][name][metric] for report in (first, second))
            assert one["difference"] == pytest.approx(next(wanted) - next(wanted), abs=1e-9)
    turned = paired_comparison(task, examples, others, predictions)
    for name in set(found) - {"by_category"}:
        assert turned[name]["low"] == pytest.approx(-found[name]["high"])
        assert turned[name]["better"] == pytest.approx(1 - found[name]["better"])


def test_a_pair_is_compared_on_the_same_instances():
    """A system that is right once more than the other is never worse in any sample."""
    examples, predictions, _ = _made(4)["diffmcq"]
    better = [*predictions]
    wrong = next(
        number
        for number, (one, row) in enumerate(zip(examples, predictions))
        if int(np.argmax(row)) != one.answer_index
    )
    better[wrong] = [float(option == examples[wrong].answer) for option in examples[wrong].options]
    found = paired_comparison("diffmcq", examples, better, predictions)["accuracy"]
    assert found["difference"] == pytest.approx(1 / len(examples))
    assert found["low"] == 0.0
    assert found["better"] > 0.7  # equal in the samples without it, which count half
    same = paired_comparison("diffmcq", examples, better, better)["accuracy"]
    assert same == {"difference": 0.0, "low": 0.0, "high": 0.0, "better": 0.5}


def test_undefined_taus_count_as_zero_or_are_left_out_and_it_is_said():
    examples, predictions, others = _made(5)["diffrank"]
    predictions[3], others[4] = [1.0] * 4, [2.0] * 4
    found = intervals("diffrank", examples, predictions)
    assert found["ktau"]["defined_lines_only"]
    assert found["by_category"]["Actions"]["ktau"].keys() == {"low", "high"}  # 3 is of the other
    assert found["ktau"]["high"] > found["ktau_nan_as_zero"]["high"]
    compared = paired_comparison("diffrank", examples, predictions, others)
    kept = [number for number in range(len(examples)) if number not in (3, 4)]
    first, second = (
        score_examples("diffrank", [examples[i] for i in kept], [one[i] for i in kept])
        for one in (predictions, others)
    )
    assert compared["ktau"]["difference"] == pytest.approx(first["ktau"] - second["ktau"])


def test_without_a_defined_line_there_is_no_interval_of_tau():
    examples, predictions, _ = _made(5, 2)["diffrank"]
    constant = [[1.0] * 4] * 2
    found = intervals("diffrank", examples, constant)
    assert found["ktau"] == {"low": None, "high": None, "defined_lines_only": True}
    assert found["ktau_nan_as_zero"] == {"low": 0.0, "high": 0.0}
    compared = paired_comparison("diffrank", examples, predictions, constant)["ktau"]
    assert compared["difference"] is None
    assert compared["better"] is None


def test_choice_questions_may_have_any_number_of_options():
    examples = [
        ChoiceQuestion(("a.mp4", "b.mp4"), "Counting", "how many?", options, answer)
        for options, answer in ((("1", "2"), 1), (("1", "2", "3", "4"), 3), (("yes", "no"), 0))
    ]
    scores = [[0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 1.0]]
    found = intervals("cvbench", examples, scores)
    assert found["accuracy"] == found["by_category"]["Counting"]["accuracy"]
    assert 0 <= found["accuracy"]["low"] < 2 / 3 < found["accuracy"]["high"] <= 1
    with pytest.raises(ValueError, match="row 0: answer 1 of 1 scores"):
        intervals("cvbench", examples, [[0.0], *scores[1:]])


@given(st.integers(1, 12), st.integers(0, 1000))
def test_intervals_are_ordered_and_the_same_again(count, seed):
    examples, predictions, others = _made(seed, count)["diffmcq"]
    first, second = (intervals("diffmcq", examples, predictions, 50) for _ in range(2))
    assert first == second
    assert first["accuracy"]["low"] <= first["accuracy"]["high"]
    compared = paired_comparison("diffmcq", examples, predictions, others, 50)["accuracy"]
    assert compared["low"] <= compared["high"]
    assert 0 <= compared["better"] <= 1


def test_other_numbers_of_predictions_are_refused():
    examples, predictions, others = _made(6)["diffmcq"]
    with pytest.raises(ValueError, match="39 predictions for 40 examples"):
        intervals("diffmcq", examples, predictions[:-1])
    with pytest.raises(ValueError, match="1 predictions for 40 examples"):
        paired_comparison("diffmcq", examples, predictions, others[:1])
