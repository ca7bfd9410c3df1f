"""Measures the rows of a table, each by an evaluation of its own that resumes where it stopped."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from launch.evaluate import Evaluate, parse
from launch.evaluate import run as evaluate
from launch.tables.rows import Measured, Row, missing
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.tasks import BENCHMARK_TASKS, benchmark_path


def measure_rows(
    rows: Sequence[Row], benchmark: Path, directory: Path, flags: Sequence[str] = ()
) -> list[Measured]:
    """Evaluate every row that can be; one that fails does not end the others.

    Args:
        directory: each row's predictions and results go to a directory of its name in it.
        flags: of `stepdiff evaluate`, for all rows.
    Raises:
        InputError: the benchmark has no file of the three tasks, or an invalid one, which would
            fail every row.
    """
    tasks = [task for task in BENCHMARK_TASKS if benchmark_path(benchmark, task).exists()]
    if not tasks:
        files = ", ".join(task.file for task in BENCHMARK_TASKS.values())
        raise InputError(f"{benchmark}: has none of {files}")
    for task in tasks:
        BENCHMARK_TASKS[task].instances(benchmark)
    found = []
    for number, row in enumerate(rows, start=1):
        print(f"[{number}/{len(rows)}] {row.name}", file=sys.stderr, flush=True)
        found.append(_measure(row, benchmark, directory, [*flags, "--task", *tasks]))
    return found


def evaluation(row: Row, benchmark: Path, directory: Path, flags: Sequence[str]) -> Evaluate:
    """The evaluation that measures a row; raises InputError as `stepdiff evaluate` does."""
    words = [
        row.config,
        *("--benchmark", str(benchmark)),
        *row.flags,
        *flags,
        *("--loop.run-directory", str(directory / row.slug)),
    ]
    return parse("stepdiff evaluate", words)


def _measure(row: Row, benchmark: Path, directory: Path, flags: Sequence[str]) -> Measured:
    absent = missing(row)
    if absent:
        return Measured(row, absent=absent)
    try:
        options = evaluation(row, benchmark, directory, flags)
        results = evaluate(options)
    except InputError as error:
        print(f"{row.name}: {error}", file=sys.stderr, flush=True)
        return Measured(row, failed=" ".join(str(error).split()))
    assert results is not None
    # As the file has it: JSON values only.
    return Measured(row, results=json.loads(json.dumps(results)), predictions=options.predictions)
