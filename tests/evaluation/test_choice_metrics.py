"""DiffMCQ accuracy and DiffRank tau-b: values worked out by hand, and properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdiff_jax.evaluation.choice_metrics import accuracy, kendall_taus, summarize_taus

# Integers in float64, so that shifts and monotone maps neither make nor break ties.
ROWS = st.lists(st.lists(st.integers(-50, 50), min_size=4, max_size=4), min_size=1, max_size=8)


def test_accuracy_counts_the_highest_score():
    scores = [[0.1, 0.9, 0.3, 0.2], [-4.0, -5.0, -3.0, -3.5], [1.0, 2.0, 3.0, 4.0]]
    assert accuracy(scores, [1, 2, 0]) == pytest.approx(2 / 3)


def test_accuracy_takes_the_first_of_equal_scores():
    assert accuracy([[1, 1, 0, 0]], [0]) == 1
    assert accuracy([[1, 1, 0, 0]], [1]) == 0


@given(ROWS, st.integers(-1000, 1000))
def test_accuracy_is_invariant_under_a_shift(rows, shift):
    answers = [index % 4 for index in range(len(rows))]
    assert accuracy(np.array(rows) + shift, answers) == accuracy(rows, answers)


@pytest.mark.parametrize(
    ("scores", "human", "tau"),
    [
        ([1, 2, 3, 4], [0, 2, 3, 5], 1.0),
        ([4, 3, 2, 1], [0, 2, 3, 5], -1.0),
        ([1, 2, 4, 3], [0, 2, 3, 5], 4 / 6),
        # 4 pairs agree, 1 does not, 1 is tied by people: (4 - 1) / sqrt(6 * 5).
        ([1, 2, 3, 4], [0, 0, 3, 2], 3 / math.sqrt(30)),
        # The same tie on both sides: 5 pairs agree, (5 - 0) / sqrt(5 * 5).
        ([1, 1, 2, 3], [0, 0, 2, 3], 1.0),
    ],
)
def test_tau_b_by_hand(scores, human, tau):
    assert kendall_taus([scores], [human])[0] == pytest.approx(tau, abs=1e-12)


@given(ROWS, st.integers(1, 9), st.integers(-9, 9))
def test_tau_is_invariant_under_monotone_maps(rows, factor, shift):
    scores = np.array(rows)
    human = np.roll(scores, 1, axis=1)
    expected = kendall_taus(scores, human)
    np.testing.assert_array_equal(kendall_taus(scores * factor + shift, human), expected)
    np.testing.assert_array_equal(kendall_taus(scores**3, human), expected)
    np.testing.assert_allclose(kendall_taus(-scores, human), -expected, atol=1e-12)


def test_a_constant_line_poisons_the_official_mean_only():
    taus = kendall_taus([[1, 2, 3, 4], [7, 7, 7, 7], [4, 3, 2, 1]], [[0, 1, 2, 3]] * 3)
    summary = summarize_taus(taus)
    assert math.isnan(summary.ktau)
    assert summary.ktau_nan_as_zero == pytest.approx(0.0)
    assert summary.undefined == 1


def test_constant_human_scores_are_undefined_too():
    assert summarize_taus(kendall_taus([[1, 2, 3, 4]], [[2, 2, 2, 2]])).undefined == 1


def test_both_means_agree_where_every_line_is_defined():
    summary = summarize_taus(kendall_taus([[1, 2, 3, 4], [1, 2, 4, 3]], [[0, 1, 2, 3]] * 2))
    assert summary.ktau == summary.ktau_nan_as_zero == pytest.approx((1 + 4 / 6) / 2)
    assert summary.undefined == 0


@pytest.mark.parametrize(
    ("scores", "answers", "message"),
    [
        ([[1, 2, math.nan, 4]], [0], "finite"),
        ([[1, 2, 3, 4]], [4], "from 0 to 3"),
        ([[1, 2, 3, 4]], [-1], "from 0 to 3"),
        ([[1, 2, 3, 4]], [0, 1], "answers of shape"),
        ([], [], "non-empty"),
        ([1, 2, 3, 4], [0], "non-empty table"),
    ],
)
def test_accuracy_rejects(scores, answers, message):
    with pytest.raises(ValueError, match=message):
        accuracy(scores, answers)


def test_taus_reject_different_shapes():
    with pytest.raises(ValueError, match="human scores"):
        kendall_taus([[1, 2, 3, 4]], [[1, 2, 3]])
