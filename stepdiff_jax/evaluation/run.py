"""Runs a system on the instances of a task, some at a time, so that little is lost when it ends."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.samples import Sample, answer_fields
from stepdiff_jax.evaluation.scoring import Metrics
from stepdiff_jax.evaluation.system import ClipSource, Scored, System, Written
from stepdiff_jax.evaluation.tasks import BENCHMARK_TASKS, BenchmarkTask, benchmark_task
from stepdiff_jax.jsonl import write_jsonl


@dataclass(frozen=True)
class Chosen:
    """Instances of a task by their numbers in the benchmark's file.

    total: how many that has; digest: SHA-256 of all of them, in 16 hex digits.
    """

    task: BenchmarkTask[Any]
    instances: Mapping[int, Any]
    total: int
    digest: str

    @property
    def clips(self) -> tuple[str, ...]:
        """Ids of the clips that they show, each once."""
        shown = (clip for one in self.instances.values() for clip in self.task.clips(one))
        return tuple(dict.fromkeys(shown))

    @property
    def whole(self) -> bool:
        """Whether these are all of the benchmark's instances."""
        return len(self.instances) == self.total

    def without(self, done: Collection[int]) -> "Chosen":
        """The instances that are not among `done`."""
        left = {number: one for number, one in self.instances.items() if number not in done}
        return replace(self, instances=left)


def choose_instances(
    task: BenchmarkTask[Any],
    benchmark: Path,
    *,
    limit: int | None = None,
    categories: Collection[str] = (),
) -> Chosen:
    """The first `limit` instances of some categories (all by default).

    Raises:
        InputError: the file is missing or invalid, it lacks a category, or nothing is left.
    """
    instances = task.instances(benchmark)
    known = {one.category for one in instances}
    for category in categories:
        if category not in known:
            raise InputError(
                f"--categories: {benchmark / task.file} has {', '.join(sorted(known))}, got "
                f"{category!r}"
            )
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be positive, got {limit}")
    wanted = {
        number: one
        for number, one in enumerate(instances)
        if not categories or one.category in categories
    }
    digest = hashlib.sha256(repr(instances).encode()).hexdigest()[:16]
    return Chosen(task, dict(list(wanted.items())[:limit]), len(instances), digest)


Answered = tuple[Sequence[int], Sequence[Written | Scored]]


def answer_in_parts(system: System, chosen: Chosen, size: int) -> Iterator[Answered | None]:
    """The numbers and answers of `size` instances at a time; None if the system has none to give.

    Instances that show the same clips first come together, so that what they share is run once.
    """
    clips, task = chosen.task.clips, chosen.task
    numbers = sorted(chosen.instances, key=lambda number: clips(chosen.instances[number]))
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        answers = task.answers(system, [chosen.instances[number] for number in part])
        if answers is None:
            yield None
            return
        yield part, answers


def samples_of(chosen: Chosen, answered: Answered, clips: ClipSource | None = None) -> list[Sample]:
    """The samples of answered instances.

    Args:
        clips: says what was seen of each clip; None if the system sees none.
    """
    samples = []
    numbers, answers = answered
    for number, answer in zip(numbers, answers, strict=True):
        sample = chosen.task.sample(number, chosen.instances[number])
        if clips is not None:
            sample["clips"] = [{"clip": clip, **clips.facts(clip)} for clip in sample["clips"]]
        samples.append(sample | answer_fields(answer))
    return samples


def write_predictions(directory: Path, chosen: Chosen, samples: Sequence[Sample]) -> None:
    """Write <task>.jsonl in the official format.

    If these are not all instances, the benchmark's lines of those that are stand beside it, for
    `stepdiff score`.

    Args:
        samples: one per instance, in their order.
    """
    task = chosen.task
    rows = [{task.prediction: one[task.prediction]} for one in samples]
    write_jsonl(directory / f"{task.name}.jsonl", rows)
    if not chosen.whole:
        write_jsonl(directory / f"{task.name}_dataset.jsonl", chosen.instances.values())


def evaluate(
    system: System,
    benchmark: Path,
    predictions: Path,
    tasks: Sequence[str] = tuple(BENCHMARK_TASKS),
) -> dict[str, Metrics]:
    """Answer a benchmark at once, without a log, and score the answers.

    Returns:
        task -> metrics, without tasks that the system cannot do.
    """
    results = {}
    for name in tasks:
        chosen = choose_instances(benchmark_task(name), benchmark)
        for answered in answer_in_parts(system, chosen, chosen.total):
            if answered is not None:
                by_number = {one["id"]: one for one in samples_of(chosen, answered)}
                samples = [by_number[number] for number in chosen.instances]
                write_predictions(predictions, chosen, samples)
                results[name] = chosen.task.metrics(list(chosen.instances.values()), samples)
    return results
