"""Runs a system on the benchmark: predictions in the official format, and the metrics."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepdiff_jax.evaluation.benchmark_files import (
    TASKS,
    Task,
    read_diffcap,
    read_diffmcq,
    read_diffrank,
    write_jsonl,
)
from stepdiff_jax.evaluation.scoring import score_files
from stepdiff_jax.evaluation.system import System


def benchmark_path(benchmark: Path, task: Task) -> Path:
    """The official file of a task in a benchmark directory."""
    return benchmark / f"{task}_dataset.jsonl"


def asked_clips(benchmark: Path, tasks: Sequence[Task] = TASKS) -> tuple[str, ...]:
    """Ids of the clips that the tasks ask about, each once.

    Raises:
        InputError: a file is missing or not a benchmark file.
    """
    clips: list[str] = []
    for task in tasks:
        path = benchmark_path(benchmark, task)
        if task == "diffcap":
            for caption in read_diffcap(path):
                clips += (caption.reference, caption.candidate)
        elif task == "diffmcq":
            for choice in read_diffmcq(path):
                clips += (clip for pair in choice.options for clip in pair)
        else:
            for ranking in read_diffrank(path):
                clips += (ranking.reference, *ranking.targets)
    return tuple(dict.fromkeys(clips))


def evaluate(
    system: System, benchmark: Path, predictions: Path, tasks: Sequence[Task] = TASKS
) -> dict[str, dict[str, Any]]:
    """Answer the benchmark's files and score the answers.

    Args:
        benchmark: directory with the files `<task>_dataset.jsonl`.
        predictions: directory to write `<task>.jsonl` to, in the official format.
    Returns:
        task -> metrics as `stepdiff score` prints them, without tasks that the system cannot
        do.
    """
    results: dict[str, dict[str, Any]] = {}
    for task in tasks:
        ground_truth = benchmark_path(benchmark, task)
        rows = _predict(system, task, ground_truth)
        if rows is not None:
            path = predictions / f"{task}.jsonl"
            write_jsonl(path, rows)
            results[task] = score_files(task, ground_truth, path)
    return results


def _predict(system: System, task: Task, ground_truth: Path) -> list[dict[str, Any]] | None:
    if task == "diffcap":
        captions = system.caption(read_diffcap(ground_truth))
        return None if captions is None else [{"generated_text": one.text} for one in captions]
    if task == "diffmcq":
        scored = system.choose(read_diffmcq(ground_truth))
    else:
        scored = system.rank(read_diffrank(ground_truth))
    return [{"scores": list(one.scores)} for one in scored]
