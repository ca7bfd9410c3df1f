"""Measures the rows of a table, each by an evaluation of its own that resumes where it stopped."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from launch.evaluate import parse
from launch.evaluate import run as evaluate
from launch.tables.rows import Measured, Row, missing
from stepdiff_jax.errors import InputError


def measure_rows(
    rows: Sequence[Row], benchmark: Path, directory: Path, flags: Sequence[str] = ()
) -> list[Measured]:
    """Evaluate every row that can be; one that fails does not end the others.

    Args:
        directory: each row's predictions and results go to a directory of its name in it.
        flags: of `stepdiff evaluate`, for all rows.
    """
    found = []
    for number, row in enumerate(rows, start=1):
        print(f"[{number}/{len(rows)}] {row.name}", file=sys.stderr, flush=True)
        found.append(_measure(row, benchmark, directory / row.slug, flags))
    return found


def _measure(row: Row, benchmark: Path, directory: Path, flags: Sequence[str]) -> Measured:
    absent = missing(row)
    if absent:
        return Measured(row, absent=absent)
    words = [
        row.config,
        *("--benchmark", str(benchmark)),
        *row.flags,
        *flags,
        *("--loop.run-directory", str(directory)),
    ]
    try:
        options = parse("stepdiff evaluate", words)
        results = evaluate(options)
    except InputError as error:
        print(f"{row.name}: {error}", file=sys.stderr, flush=True)
        return Measured(row, failed=" ".join(str(error).split()))
    assert results is not None
    # As the file has it: JSON values only.
    return Measured(row, results=json.loads(json.dumps(results)), predictions=options.predictions)
