"""Prints the summary of a stage."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError


def print_summary(destination: Path, summary: Mapping[str, Any], *read: Path | None) -> None:
    """Print one line with what a stage read, wrote and dropped, and one with the files it `read`.

    Files that are None are left out.
    """
    from data_prep.schema.stages import Summary

    print(f"{destination}: {json.dumps(Summary.of(dict(summary)).printed())}", flush=True)
    names = ", ".join(str(path) for path in read if path is not None)
    if names:
        print(f"  read {names}", flush=True)


def print_summaries(
    summaries: Mapping[Path, Mapping[str, Any]], *read: Path | None, shards: int = 1
) -> None:
    """Print the summary of each destination of a stage, all of `shards` shards, as `print_summary`.

    Raises:
        InputError: nothing came out of the whole stage.
    """
    for destination, summary in summaries.items():
        print_summary(destination, summary, *read)
    if shards > 1 or any(_came_out(summary) for summary in summaries.values()):
        return
    destination, summary = next(iter(summaries.items()))
    reasons = "; ".join(f"{why}: {number}" for why, number in summary["dropped"].items())
    raise InputError(
        f"{destination}: nothing came out of {summary['in']} records ({reasons or 'none fits'}); "
        "--retry-quarantined tries them again"
    )


def _came_out(summary: Mapping[str, Any]) -> bool:
    left = summary["out"]
    return bool(sum(left.values()) if isinstance(left, dict) else left)
