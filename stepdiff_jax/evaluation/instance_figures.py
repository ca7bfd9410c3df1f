"""What each instance adds to the metrics of a sample, so that a sample drawn again costs a sum."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stepdiff_jax.evaluation.caption_metrics import (
    bleu_counts,
    bleu_of_counts,
    cider_ds,
    rouge_ls,
)
from stepdiff_jax.evaluation.choice_metrics import hits, kendall_taus

Floats = NDArray[np.float64]


class InstanceFigures(Protocol):
    """One system's figures on N instances."""

    def parts(self, rows: NDArray[np.int64]) -> Floats:
        """What each of some instances adds, when they alone are the file: [rows, P]."""
        ...

    def metrics(self, sums: Floats) -> dict[str, Floats]:
        """Metrics [...] of samples whose instances' parts add up to `sums` [..., P]."""
        ...


class CaptionFigures:
    """BLEU, CIDEr and ROUGE-L of generated texts.

    CIDEr's document frequencies are those of the whole file, or of all of a category, and are not
    counted again for a sample drawn from it (**ours**).
    """

    def __init__(self, texts: Sequence[str], references: Sequence[Sequence[str]]):
        self._texts, self._references = texts, references
        self._bleu, self._rouge = bleu_counts(texts, references), rouge_ls(texts, references)

    def parts(self, rows: NDArray[np.int64]) -> Floats:
        """See `InstanceFigures`."""
        cider = cider_ds([self._texts[i] for i in rows], [self._references[i] for i in rows])
        return np.column_stack([self._bleu[rows], cider, self._rouge[rows], np.ones(len(rows))])

    def metrics(self, sums: Floats) -> dict[str, Floats]:
        """See `InstanceFigures`."""
        cider, rouge, instances = np.moveaxis(sums[..., 3:], -1, 0)
        return {
            "BLEU": bleu_of_counts(sums[..., :3]),
            "CIDEr": cider / instances,
            "ROUGE-L": rouge / instances,
        }


class ChoiceFigures:
    """Accuracy of rows of scores, of any number of options each."""

    def __init__(self, scores: Sequence[Sequence[float]], answers: Sequence[int]):
        self._hits = hits(scores, answers)

    def parts(self, rows: NDArray[np.int64]) -> Floats:
        """See `InstanceFigures`."""
        return np.column_stack([self._hits[rows], np.ones(len(rows))])

    def metrics(self, sums: Floats) -> dict[str, Floats]:
        """See `InstanceFigures`."""
        return {"accuracy": sums[..., 0] / sums[..., 1]}


class RankFigures:
    """Kendall's tau-b of lines.

    `ktau_nan_as_zero` counts an undefined line as 0; `ktau` is over the defined lines only, as the
    official figure does not exist where there are others (**ours**). It is NaN without any.

    Args:
        taus: [N], NaN where undefined.
        defined: the lines that `ktau` is over; those of `taus`, unless systems are compared.
    """

    def __init__(self, taus: Floats, defined: NDArray[np.bool_] | None = None):
        self.defined = np.isfinite(taus) if defined is None else defined
        self.taus = taus

    def parts(self, rows: NDArray[np.int64]) -> Floats:
        """See `InstanceFigures`."""
        taus, defined = np.nan_to_num(self.taus[rows], nan=0.0), self.defined[rows]
        return np.column_stack([taus, np.ones(len(rows)), taus * defined, defined])

    def metrics(self, sums: Floats) -> dict[str, Floats]:
        """See `InstanceFigures`."""
        total, instances, defined_total, defined = np.moveaxis(sums, -1, 0)
        nothing = np.full_like(total, np.nan)
        return {
            "ktau": np.divide(defined_total, defined, out=nothing, where=defined > 0),
            "ktau_nan_as_zero": total / instances,
        }


def figures_of(task: str, examples: Sequence[Any], predictions: Sequence[Any]) -> InstanceFigures:
    """A system's figures.

    Args:
        task: diffcap, diffmcq, diffrank, or the name of another benchmark of choice questions.
        examples: `DiffCap`, `DiffMCQ`, `DiffRank` or `ChoiceQuestion`.
        predictions: a text (diffcap), or a score for each option, per example.
    Raises:
        ValueError: there are no examples, or not one prediction for each.
    """
    if not examples or len(examples) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions for {len(examples)} examples")
    match task:
        case "diffcap":
            return CaptionFigures(predictions, [one.text for one in examples])
        case "diffrank":
            return RankFigures(kendall_taus(predictions, [one.scores for one in examples]))
        case "diffmcq":
            return ChoiceFigures(predictions, [one.answer_index for one in examples])
    return ChoiceFigures(predictions, [one.answer for one in examples])


def comparable(
    first: InstanceFigures, second: InstanceFigures
) -> tuple[InstanceFigures, InstanceFigures]:
    """Two systems' figures over the same lines: taus only where both have one."""
    if isinstance(first, RankFigures) and isinstance(second, RankFigures):
        both = first.defined & second.defined
        return RankFigures(first.taus, both), RankFigures(second.taus, both)
    return first, second
