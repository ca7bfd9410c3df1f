"""The benchmark stage: differences.jsonl -> the three official files (paper, section 4)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.benchmark.write import Difference, Nearness, write_benchmark
from data_prep.similarity.base import Embed, cosines
from data_prep.stage import Rejected, Row, origin_of, read_summary, write_summary
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import Task, parse_clip_id
from stepdiff_jax.jsonl import shorten, stream_jsonl, write_jsonl

LARGEST_SCORE = 5
"""Nearly identical; 0 is nothing in common (section 4.3)."""


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
    """Write the three files into `destination`; returns (and writes) the summary.

    Wrong annotations are quarantined by reason. A second run does nothing; with other settings, or
    on other input, it is an error.

    Args:
        embed: by which the captions of hard negatives are near. `settings` says which it is.
        limit, hard, seed: see `write_benchmark`.
    Raises:
        InputError: the file cannot be read, or gives no instance of a task.
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
            reason = {"reason": problem.kind, "detail": problem.detail}
            bad.append({**row, "line": number, **reason})
        else:
            good.append(_difference(row))
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
    summary = {
        "in": len(rows),
        "out": written,
        "dropped": dict(sorted(Counter(row["reason"] for row in bad).items())),
        "counts": {task: dict(sorted(reasons.items())) for task, reasons in left_out.items()},
        **origin,
    }
    write_summary(report, summary)
    return summary


def nearness_by(embed: Embed) -> Nearness:
    """Captions are near by the cosines of their vectors."""

    def compare(captions: Sequence[str]) -> Callable[[int], np.ndarray]:
        vectors = embed(captions)

        def similarities(place: int) -> np.ndarray:
            # In steps, so that ties are ties on every machine.
            return cosines(vectors[place : place + 1], vectors)[0].round(4)

        return similarities

    return compare


def annotation_problem(row: Row) -> Rejected | None:
    """Why a line is no annotation; None where it is one."""
    for name in ("reference", "candidate", "category"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            return _wrong(row, name, "is no text")
    if type(row.get("keystep")) not in (str, int):
        return _wrong(row, "keystep", "is neither a text nor an integer")
    for name in ("reference", "candidate"):
        try:
            parse_clip_id(row[name])
        except InputError as error:
            return Rejected("clip id of another form", f"{name}: {error}")
    if row["reference"] == row["candidate"]:
        return Rejected("clip is compared with itself", row["reference"])
    captions = row.get("captions")
    if not isinstance(captions, list) or not all(isinstance(one, str) for one in captions):
        return _wrong(row, "captions", "is no list of texts")
    if not all(one.strip() for one in captions):
        return Rejected("caption is empty", shorten(captions))
    if type(row.get("score")) is not int:
        return _wrong(row, "score", "is no integer")
    if not 0 <= row["score"] <= LARGEST_SCORE:
        return Rejected("score is out of range", f"{row['score']}, not from 0 to {LARGEST_SCORE}")
    return None


def _wrong(row: Row, name: str, problem: str) -> Rejected:
    return Rejected(f"{name} {problem}", shorten(row.get(name)))


def _difference(row: Row) -> Difference:
    names = ("reference", "candidate", "keystep", "category", "score")
    return Difference(**{name: row[name] for name in names}, captions=tuple(row["captions"]))
