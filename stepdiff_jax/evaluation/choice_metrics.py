"""The metrics of DiffMCQ and DiffRank (paper, section 4), as in the authors' evaluation script."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau


class RankCorrelation(NamedTuple):
    """Kendall's tau-b over the lines of DiffRank.

    ktau: the official figure, the plain mean; NaN if any line is undefined.
    ktau_nan_as_zero: the mean with undefined lines as 0, the score of guessing (**ours**).
    undefined: number of lines where the predictions, or the human scores, are all equal.
    """

    ktau: float
    ktau_nan_as_zero: float
    undefined: int


def accuracy(scores: ArrayLike, answers: Sequence[int]) -> float:
    """Share of rows whose highest score is at the answer; the first of equal scores counts.

    Args:
      scores: [N, K] finite floats.
      answers: N indices, 0 to K - 1.

    Raises:
      ValueError: shapes differ, there are no rows, a score is not finite, or an answer is out of
        range.
    """
    table = _finite_rows(scores)
    indices = np.asarray(answers)
    if indices.shape != table.shape[:1]:
        raise ValueError(f"answers of shape {indices.shape} for {table.shape[0]} rows of scores")
    if np.any((indices < 0) | (indices >= table.shape[1])):
        raise ValueError(f"answers must be from 0 to {table.shape[1] - 1}")
    return float(np.mean(table.argmax(axis=1) == indices))


def hits(scores: Sequence[Sequence[float]], answers: Sequence[int]) -> NDArray[np.bool_]:
    """Whether each row's highest score is at its answer: bool [N]. See `accuracy`.

    Args:
      scores: N rows of finite floats, whose lengths may differ.
      answers: N indices into the rows.

    Raises:
      ValueError: the numbers of rows differ, a score is not finite, or an answer is out of range.
    """
    if len(scores) != len(answers):
        raise ValueError(f"{len(answers)} answers for {len(scores)} rows of scores")
    found = np.zeros(len(scores), bool)
    for number, (row, answer) in enumerate(zip(scores, answers)):
        if not 0 <= answer < len(row):
            raise ValueError(f"row {number}: answer {answer} of {len(row)} scores")
        if not np.isfinite(row).all():
            raise ValueError(f"row {number}: scores must be finite")
        found[number] = int(np.argmax(row)) == answer
    return found


def kendall_taus(scores: ArrayLike, human_scores: ArrayLike) -> NDArray[np.float64]:
    """Kendall's tau-b of each row, as SciPy computes it; NaN where either row is constant.

    Args:
      scores: [N, K] finite floats. Pass float32 or better: bfloat16 scores tie.
      human_scores: [N, K] finite numbers.

    Raises:
      ValueError: shapes differ, there are no rows, or a score is not finite.
    """
    predicted, human = _finite_rows(scores), _finite_rows(human_scores)
    if predicted.shape != human.shape:
        raise ValueError(f"scores of shape {predicted.shape} for human scores {human.shape}")
    return np.array([kendalltau(*pair, variant="b").statistic for pair in zip(predicted, human)])


def summarize_taus(taus: ArrayLike) -> RankCorrelation:
    """Means of the rows' taus ([N] floats, NaN where undefined), official and with NaN as 0."""
    values = np.asarray(taus, dtype=np.float64)
    undefined = int(np.isnan(values).sum())
    mean = float(np.mean(np.nan_to_num(values, nan=0.0)))
    return RankCorrelation(math.nan if undefined else mean, mean, undefined)


def _finite_rows(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"scores must be a non-empty table [N, K], got shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("scores must be finite")
    return table
