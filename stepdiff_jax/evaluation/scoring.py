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
    Task,
    as_task,
    read_diffcap,
    read_diffmcq,
    read_diffrank,
    read_predictions,
)
from stepdiff_jax.evaluation.caption_metrics import caption_metrics
from stepdiff_jax.evaluation.choice_metrics import accuracy, hits, kendall_taus, summarize_taus
from stepdiff_jax.evaluation.system import ChoiceQuestion

Metrics = dict[str, Any]


def score_files(task: str, ground_truth: Path, predictions: Path) -> Metrics:
    """Scores a prediction file against a benchmark file of `task`: diffcap, diffmcq or diffrank.

    Returns JSON values: `task`, the metrics (`BLEU`, `CIDEr`, `ROUGE-L`; `accuracy`; `ktau`,
    `ktau_nan_as_zero`, `undefined`), the number of `instances`, and the same for every
    category under `by_category`. An official `ktau` that is NaN is None.

    Raises:
      InputError: the task is unknown, a file is invalid, or the files differ in length.
    """
    examples, found = read_scored(task, ground_truth, predictions)
    return {"task": task, **score_examples(task, examples, found)}


def read_scored(task: str, ground_truth: Path, predictions: Path) -> tuple[list[Any], list[Any]]:
    """The examples of a benchmark file, and the prediction for each.

    Raises:
      InputError: as `score_files`.
    """
    examples = _READERS[as_task(task)](ground_truth)
    found = read_predictions(predictions, task)
    if len(examples) != len(found):
        raise InputError(
            f"{predictions}: has {len(found)} predictions for the {len(examples)} instances of "
            f"{ground_truth}"
        )
    return list(examples), list(found)


def score_examples(task: str, examples: Sequence[Any], predictions: Sequence[Any]) -> Metrics:
    """The metrics of a task's examples, overall and by category; one prediction per example."""
    return _SCORERS[as_task(task)](examples, predictions)


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


def score_choices(examples: Sequence[ChoiceQuestion], scores: Sequence[Sequence[float]]) -> Metrics:
    """Accuracy on N questions with any number of options, and that of guessing (`chance`, ours)."""
    right = hits(scores, [example.answer for example in examples])
    chances = [1 / len(example.options) for example in examples]

    def measure(rows: Sequence[int]) -> Metrics:
        chance = sum(chances[i] for i in rows) / len(rows)
        return {"accuracy": float(right[list(rows)].mean()), "chance": chance}

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


_READERS: dict[Task, Callable[[Path], Sequence[Any]]] = {
    "diffcap": read_diffcap,
    "diffmcq": read_diffmcq,
    "diffrank": read_diffrank,
}
_SCORERS: dict[Task, Callable[[Any, Any], Metrics]] = {
    "diffcap": score_diffcap,
    "diffmcq": score_diffmcq,
    "diffrank": score_diffrank,
}
