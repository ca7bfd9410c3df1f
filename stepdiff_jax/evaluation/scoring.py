"""Official metrics of prediction files, as `stepdiff score` prints them."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    DiffCap,
    DiffMCQ,
    DiffRank,
    as_task,
    read_diffcap,
    read_diffmcq,
    read_diffrank,
    read_generated_texts,
    read_scores,
)
from stepdiff_jax.evaluation.caption_metrics import caption_metrics
from stepdiff_jax.evaluation.choice_metrics import accuracy, kendall_taus, summarize_taus

Metrics = dict[str, Any]


def score_files(task: str, ground_truth: Path, predictions: Path) -> Metrics:
    """Scores a prediction file against a benchmark file of `task`: diffcap, diffmcq or diffrank.

    Returns JSON values: `task`, the metrics (`BLEU`, `CIDEr`, `ROUGE-L`; `accuracy`; `ktau`,
    `ktau_nan_as_zero`, `undefined`), the number of `instances`, and the same for every
    category under `by_category`. An official `ktau` that is NaN is None.

    Raises:
      InputError: the task is unknown, a file is invalid, or the files differ in length.
    """
    match as_task(task):
        case "diffcap":
            captions, texts = read_diffcap(ground_truth), read_generated_texts(predictions)
            _check_counts(len(captions), len(texts), ground_truth, predictions)
            metrics = score_diffcap(captions, texts)
        case "diffmcq":
            questions, scores = read_diffmcq(ground_truth), read_scores(predictions)
            _check_counts(len(questions), len(scores), ground_truth, predictions)
            metrics = score_diffmcq(questions, scores)
        case "diffrank":
            rankings, scores = read_diffrank(ground_truth), read_scores(predictions)
            _check_counts(len(rankings), len(scores), ground_truth, predictions)
            metrics = score_diffrank(rankings, scores)
    return {"task": task, **metrics}


def score_diffcap(examples: Sequence[DiffCap], texts: Sequence[str]) -> Metrics:
    """BLEU, CIDEr and ROUGE-L of N generated texts, overall and by category.

    A category is scored as a corpus of its own, CIDEr's document frequencies included (**ours**).
    """

    def measure(rows: Sequence[int]) -> Metrics:
        return {**caption_metrics([texts[i] for i in rows], [examples[i].text for i in rows])}

    return _overall_and_by_category([example.category for example in examples], measure)


def score_diffmcq(examples: Sequence[DiffMCQ], scores: Sequence[Sequence[float]]) -> Metrics:
    """Accuracy of N rows of four scores, overall and by category."""

    def measure(rows: Sequence[int]) -> Metrics:
        answers = [examples[i].answer_index for i in rows]
        return {"accuracy": accuracy([scores[i] for i in rows], answers)}

    return _overall_and_by_category([example.category for example in examples], measure)


def score_diffrank(examples: Sequence[DiffRank], scores: Sequence[Sequence[float]]) -> Metrics:
    """Kendall's tau-b of N rows of four scores, overall and by category."""
    taus = kendall_taus(scores, [example.scores for example in examples])

    def measure(rows: Sequence[int]) -> Metrics:
        summary = summarize_taus(taus[list(rows)])._asdict()
        return {**summary, "ktau": None if math.isnan(summary["ktau"]) else summary["ktau"]}

    return _overall_and_by_category([example.category for example in examples], measure)


def _overall_and_by_category(
    categories: Sequence[str], measure: Callable[[Sequence[int]], Metrics]
) -> Metrics:
    def counted(rows: Iterable[int]) -> Metrics:
        chosen = list(rows)
        return {**measure(chosen), "instances": len(chosen)}

    return {
        **counted(range(len(categories))),
        "by_category": {
            name: counted(i for i, category in enumerate(categories) if category == name)
            for name in sorted(set(categories))
        },
    }


def _check_counts(wanted: int, found: int, ground_truth: Path, predictions: Path) -> None:
    if wanted != found:
        raise InputError(
            f"{predictions}: has {found} predictions for the {wanted} instances of {ground_truth}"
        )
