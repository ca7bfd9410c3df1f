"""95 % intervals of the metrics, and the difference of two systems, by the bootstrap (**ours**).

Instances are drawn again with replacement, as many as there are, overall and within each category;
an interval goes from the 2.5th to the 97.5th percentile of the metric (Efron 1979; percentile
method). The seed is fixed: the same file gives the same interval, and samples of equal size draw
the same instances.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepdiff_jax.evaluation.instance_figures import (
    Floats,
    InstanceFigures,
    RankFigures,
    comparable,
    figures_of,
)

RESAMPLES = 1000
SEED = 0
PERCENTILES = (2.5, 97.5)

Report = dict[str, Any]


def intervals(
    task: str, examples: Sequence[Any], predictions: Sequence[Any], resamples: int = RESAMPLES
) -> Report:
    """Metric -> `low` and `high`, and the same for every category under `by_category`.

    A `ktau` with undefined lines, whose official figure does not exist, is that of the defined
    lines, and says so (`defined_lines_only`); None if no line is defined.

    Args:
        task, examples, predictions: see `figures_of`; examples have a `category`.
    Raises:
        ValueError: as `figures_of`.
    """
    figures = figures_of(task, examples, predictions)

    def measure(rows: NDArray[np.int64]) -> Report:
        sums, _ = _resampled([figures.parts(rows)], resamples)
        found = {name: _interval(values) for name, values in figures.metrics(sums[0]).items()}
        return _with_remark(found, figures, rows)

    return _overall_and_by_category(examples, measure)


def paired_comparison(
    task: str,
    examples: Sequence[Any],
    predictions: Sequence[Any],
    others: Sequence[Any],
    resamples: int = RESAMPLES,
) -> Report:
    """How much better the first system's metrics are than the other's, on the same instances.

    Metric -> `difference`, its interval (`low`, `high`), and `better`: the share of resamples in
    which the first is better, where equal ones count half; and the same under `by_category`. A
    `ktau` with undefined lines compares the lines that both systems define.

    Args:
        others: the other system's predictions.
    Raises:
        ValueError: as `figures_of`.
    """
    first, second = comparable(
        figures_of(task, examples, predictions), figures_of(task, examples, others)
    )

    def measure(rows: NDArray[np.int64]) -> Report:
        parts = [first.parts(rows), second.parts(rows)]
        (ours, theirs), (our_sum, their_sum) = _resampled(parts, resamples)
        ours_drawn, theirs_drawn = first.metrics(ours), second.metrics(theirs)
        our_metrics, their_metrics = first.metrics(our_sum), second.metrics(their_sum)
        found = {
            name: {
                "difference": _number(our_metrics[name] - their_metrics[name]),
                **_interval(ours_drawn[name] - theirs_drawn[name]),
                "better": _share_better(ours_drawn[name] - theirs_drawn[name]),
            }
            for name in our_metrics
        }
        return _with_remark(found, first, rows)

    return _overall_and_by_category(examples, measure)


def _resampled(parts: Sequence[Floats], resamples: int) -> tuple[list[Floats], list[Floats]]:
    """Sums of each system's parts [N, P]: of each resample [resamples, P]; of all rows [P]."""
    together = np.concatenate(parts, axis=1)
    count, random = len(together), np.random.default_rng(SEED)
    sums = np.empty((resamples, together.shape[1]))
    for row in sums:
        drawn = np.bincount(random.integers(count, size=count), minlength=count)
        row[:] = drawn @ together
    ends = np.cumsum([one.shape[1] for one in parts])[:-1]
    return np.split(sums, ends, axis=1), np.split(together.sum(axis=0), ends)


def _interval(values: Floats) -> Report:
    """Percentiles of the samples that have the metric."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"low": None, "high": None}
    low, high = np.percentile(known, PERCENTILES).tolist()
    return {"low": low, "high": high}


def _share_better(differences: Floats) -> float | None:
    known = differences[np.isfinite(differences)]
    return float(np.mean((np.sign(known) + 1) / 2)) if len(known) else None


def _number(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None


def _with_remark(found: Report, figures: InstanceFigures, rows: NDArray[np.int64]) -> Report:
    if isinstance(figures, RankFigures) and not figures.defined[rows].all():
        found["ktau"]["defined_lines_only"] = True
    return found


def _overall_and_by_category(
    examples: Sequence[Any], measure: Callable[[NDArray[np.int64]], Report]
) -> Report:
    categories = np.array([one.category for one in examples], dtype=object)
    return {
        **measure(np.arange(len(examples))),
        "by_category": {
            name: measure(np.flatnonzero(categories == name)) for name in sorted(set(categories))
        },
    }
