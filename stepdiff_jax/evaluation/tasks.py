"""The tasks of `stepdiff evaluate`: how each is read, asked, logged and scored."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    DiffCap,
    DiffMCQ,
    DiffRank,
    read_diffcap,
    read_diffmcq,
    read_diffrank,
)
from stepdiff_jax.evaluation.choice_benchmarks.registry import CHOICE_BENCHMARKS, choice_reader
from stepdiff_jax.evaluation.intervals import intervals
from stepdiff_jax.evaluation.samples import Sample
from stepdiff_jax.evaluation.scoring import (
    Metrics,
    score_choices,
    score_diffcap,
    score_diffmcq,
    score_diffrank,
)
from stepdiff_jax.evaluation.system import ChoiceQuestion, Scored, System, Written

Instance = TypeVar("Instance")
Answers = Sequence[Written | Scored]


@dataclass(frozen=True)
class BenchmarkTask(Generic[Instance]):
    """A task on instances that have a `category`.

    file: its file in a benchmark's directory, or "" for the directory; read: its instances, raising
    InputError.
    clips: ids of the clips that an instance shows. answers: a system's, None if it cannot answer.
    prediction: name of the one field of the official format. score: the metrics of instances and
    their predictions.
    """

    name: str
    file: str
    read: Callable[[Path], Sequence[Instance]]
    clips: Callable[[Instance], tuple[str, ...]]
    answers: Callable[[System, Sequence[Instance]], Answers | None]
    prediction: str
    score: Callable[[Sequence[Instance], Sequence[Any]], Metrics]

    def instances(self, benchmark: Path) -> Sequence[Instance]:
        """All instances of a benchmark's directory; raises InputError as `read`."""
        return self.read(benchmark / self.file)

    def sample(self, number: int, instance: Instance) -> Sample:
        """The fields of a sample that say what was asked."""
        fields = {
            field.name: getattr(instance, field.name)
            for field in dataclasses.fields(instance)  # type: ignore[arg-type]
        }
        if "scores" in fields:  # those of people, as the answer has scores, too
            fields["similarities"] = fields.pop("scores")
        return {"id": number, "task": self.name, "clips": list(self.clips(instance)), **fields}

    def metrics(self, instances: Sequence[Instance], samples: Sequence[Sample]) -> Metrics:
        """The metrics of instances and their samples, as `stepdiff score` prints them."""
        return {"task": self.name, **self.score(instances, self.predictions(samples))}

    def intervals(self, instances: Sequence[Instance], samples: Sequence[Sample]) -> Metrics:
        """95 % intervals of the metrics."""
        return intervals(self.name, instances, self.predictions(samples))

    def predictions(self, samples: Sequence[Sample]) -> list[Any]:
        """The predictions of samples, as `score` takes them."""
        return [one[self.prediction] for one in samples]


def _captioned(instance: DiffCap) -> tuple[str, ...]:
    return instance.reference, instance.candidate


def _chosen(instance: DiffMCQ) -> tuple[str, ...]:
    return tuple(dict.fromkeys(clip for pair in instance.options for clip in pair))


def _ranked(instance: DiffRank) -> tuple[str, ...]:
    return tuple(dict.fromkeys((instance.reference, *instance.targets)))


BENCHMARK_TASKS: Mapping[str, BenchmarkTask[Any]] = {
    "diffcap": BenchmarkTask[DiffCap](
        "diffcap",
        "diffcap_dataset.jsonl",
        read_diffcap,
        _captioned,
        lambda system, instances: system.caption(instances),
        "generated_text",
        score_diffcap,
    ),
    "diffmcq": BenchmarkTask[DiffMCQ](
        "diffmcq",
        "diffmcq_dataset.jsonl",
        read_diffmcq,
        _chosen,
        lambda system, instances: system.choose(instances),
        "scores",
        score_diffmcq,
    ),
    "diffrank": BenchmarkTask[DiffRank](
        "diffrank",
        "diffrank_dataset.jsonl",
        read_diffrank,
        _ranked,
        lambda system, instances: system.rank(instances),
        "scores",
        score_diffrank,
    ),
}
"""The tasks of section 3.4."""


def benchmark_task(name: str) -> BenchmarkTask[Any]:
    """A task by name, or another benchmark's choice questions; InputError if there is none."""
    if name in BENCHMARK_TASKS:
        return BENCHMARK_TASKS[name]
    if name not in CHOICE_BENCHMARKS:
        known = ", ".join([*BENCHMARK_TASKS, *CHOICE_BENCHMARKS])
        raise InputError(f"--task: must be one of {known}, got {name!r}")
    return BenchmarkTask[ChoiceQuestion](
        name,
        "",
        choice_reader(name),
        lambda instance: instance.clips,
        lambda system, instances: system.answer(instances),
        "scores",
        score_choices,
    )


def benchmark_path(benchmark: Path, task: str) -> Path:
    """The file of a task in a benchmark's directory; raises InputError if there is no such task."""
    return benchmark / benchmark_task(task).file
