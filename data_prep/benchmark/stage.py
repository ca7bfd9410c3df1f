"""The benchmark stage: differences.jsonl -> the official files (paper, section 4)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET

from data_prep.benchmark.write import Nearness, write_benchmark
from data_prep.schema.differences import LARGEST_SCORE, Difference, LineNumber, wrong_field
from data_prep.schema.line import Row
from data_prep.schema.stages import Summary, reasons
from data_prep.similarity.base import Embed, cosines
from data_prep.stage import Rejected
from data_prep.stage.files import origin_of, read_summary, write_summary
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import Task, parse_clip_id
from stepdiff_jax.jsonl import shorten, stream_jsonl, write_jsonl


def write_benchmark_files(
    differences: Path,
    destination: Path,
    *,
    embed: Embed,
    settings: Mapping[str, Any],
    limit: int | None,
    hard: int,
    seed: int,
) -> dict[str, Any]:
    """Write the three files into `destination` (two if no annotation has a score); returns (and
    writes) the summary.

    Invalid annotations are quarantined with a reason. Running again does nothing; running again
    with other settings or input is an error.

    Args:
        embed: finds the nearest captions for hard negatives; `settings` identifies it.
        limit, hard, seed: see `write_benchmark`.
    Raises:
        InputError: the file cannot be read, or yields no instance of a task.
    """
    if (limit is not None and limit < 1) or hard < 3 or seed < 0:
        raise InputError("--limit must be positive, --hard at least 3, --seed not negative")
    rows = [dict(line.fields) for line in stream_jsonl(differences)]
    options = {"limit": limit, "hard": hard, "seed": seed}
    origin = origin_of(rows, {**settings, **options})
    report = destination / "benchmark.summary.json"
    found = read_summary(report, origin)
    if found is not None:
        return found
    good: list[Difference] = []
    bad: list[Row] = []
    for number, row in enumerate(rows, start=1):
        problem = annotation_problem(row)
        if problem:
            bad.append({**row, **LineNumber(number).row(), **problem.reason})
        else:
            good.append(Difference.of(row))
    left_out: dict[Task, Counter[str]] = {}
    write_jsonl(destination / "benchmark.quarantine.jsonl", bad)
    written = write_benchmark(
        good,
        destination,
        limit=limit,
        hard=hard,
        seed=seed,
        nearness=nearness_by(embed),
        left_out=left_out,
    )
    summary = Summary(
        entered=len(rows),
        left=written,
        dropped=reasons(bad),
        counts={task: dict(sorted(why.items())) for task, why in left_out.items()},
        settings=origin.settings,
        input=origin.input,
    ).row()
    write_summary(report, summary)
    return summary


def nearness_by(embed: Embed) -> Nearness:
    """Nearness of captions by the cosine of their vectors."""

    def compare(captions: Sequence[str]) -> Callable[[int], np.ndarray]:
        vectors = embed(captions)

        def similarities(index: int) -> np.ndarray:
            # Rounded, so that ties are the same on every machine.
            return cosines(vectors[index : index + 1], vectors)[0].round(4)

        return similarities

    return compare


def annotation_problem(row: Row) -> Rejected | None:
    """Why a line is not a valid annotation; None if it is."""
    wrong = wrong_field(row)
    if wrong:
        return Rejected(wrong[0], shorten(wrong[1]))
    difference = Difference.of(row)
    for side, clip in difference.clips().items():
        try:
            parse_clip_id(clip)
        except InputError as error:
            return Rejected("clip id of another form", f"{side}: {error}")
    if difference.reference == difference.candidate:
        return Rejected("clip is compared with itself", difference.reference)
    if not all(one.strip() for one in difference.captions):
        return Rejected("caption is empty", shorten(difference.captions))
    if difference.score is not UNSET and not 0 <= difference.score <= LARGEST_SCORE:
        detail = f"{difference.score}, not from 0 to {LARGEST_SCORE}"
        return Rejected("score is out of range", detail)
    return None
