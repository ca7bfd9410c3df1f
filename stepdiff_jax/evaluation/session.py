"""An evaluation of several tasks by one system, resumed where an earlier one stopped.

All processes answer together; the first one alone reads and writes the logs.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from stepdiff_jax.evaluation.post_process import degenerate
from stepdiff_jax.evaluation.run import (
    Answered,
    Chosen,
    answer_in_parts,
    samples_of,
    write_predictions,
)
from stepdiff_jax.evaluation.samples import Sample, SampleLog, results_of
from stepdiff_jax.evaluation.system import ClipSource, System, Written
from stepdiff_jax.progress import ProgressLine


class Session:
    """The tasks of an evaluation, and what is left of each."""

    def __init__(self, directory: Path, tasks: Sequence[Chosen], identity: Mapping[str, Any]):
        """Reads what earlier evaluations have left in `directory`.

        Args:
            identity: JSON values that the answers to all tasks depend on.
        Raises:
            InputError: as `SampleLog`.
        """
        self.directory, self.tasks, self.identity = directory, tasks, identity
        self.logs: dict[str, SampleLog] = {}
        if jax.process_index() == 0:
            for chosen in tasks:
                own = {**identity, "instances": chosen.digest}
                self.logs[chosen.task.name] = SampleLog(directory, chosen.task.name, own)
        self.left = {chosen.task.name: self._left(chosen) for chosen in tasks}

    @property
    def clips(self) -> tuple[str, ...]:
        """Ids of the clips that are still to be shown, each once."""
        return tuple(dict.fromkeys(clip for left in self.left.values() for clip in left.clips))

    def answer(
        self,
        system: System,
        size: int,
        clips: ClipSource | None,
        stopping: Callable[[], bool],
    ) -> bool:
        """Answer what is left, `size` instances at a time; False if it was stopped.

        Args:
            clips: says what was seen of each clip, for the samples; None if the system sees none.
            stopping: whether to stop, asked after each part and equal in all processes.
        """
        for name, left in self.left.items():
            if not left.instances:
                continue
            log = self.logs.get(name)
            if log is not None:
                if log.changed:
                    print(f"{log.path}: starting over: {log.changed} differs", file=sys.stderr)
                log.start(system.settings)
            parts = answer_in_parts(system, left, size)
            for _ in parts if log is None else _logged(parts, left, log, clips):
                if stopping():
                    return False
        return True

    def results(self) -> dict[str, Any]:
        """Write the predictions; returns task -> result, with earlier tasks of the same system.

        Only for the process that has the logs, when `answer` has returned True.
        """
        for chosen in self.tasks:
            log = self.logs[chosen.task.name]
            if log.state["can_answer"]:
                log.sort()
                samples = log.chosen(chosen.instances)
                write_predictions(self.directory, chosen, samples)
                log.note(result=_result(chosen, samples))
        return results_of(self.directory, self.identity)

    def _left(self, chosen: Chosen) -> Chosen:
        """What has not been answered, as the first process finds it."""
        numbers = list(chosen.instances)
        done = np.zeros(len(numbers), bool)
        log = self.logs.get(chosen.task.name)
        if log is not None:
            done = np.array(
                [one in log.samples or not log.state["can_answer"] for one in numbers], bool
            )
        if jax.process_count() > 1:
            done = np.asarray(multihost_utils.broadcast_one_to_all(done))
        return chosen.without({number for number, one in zip(numbers, done, strict=True) if one})


def _logged(
    parts: Iterator[Answered | None], left: Chosen, log: SampleLog, clips: ClipSource | None
) -> Iterator[Answered | None]:
    """The same parts, each of which is in the log when it is given."""
    done = len(log.samples)
    with ProgressLine(left.task.name, done + len(left.instances), done) as line:
        for answered in parts:
            if answered is None:
                log.note(can_answer=False)
            else:
                log.append(samples_of(left, answered, clips))
                line.advance(len(answered[0]))
            yield answered


def any_process(wanted: bool) -> bool:
    """Whether any process wants something; asked by all at the same time."""
    if jax.process_count() == 1:
        return wanted
    return bool(np.any(multihost_utils.process_allgather(np.array([wanted]))))


def _result(chosen: Chosen, samples: Sequence[Sample]) -> dict[str, Any]:
    """The metrics of a task, their intervals, and counts of degenerate answers if it has texts."""
    task, instances = chosen.task, list(chosen.instances.values())
    result = {
        "metrics": task.metrics(instances, samples),
        "intervals": task.intervals(instances, samples),
    }
    if "output" in samples[0]:
        written = [Written(one["output"], one["tokens"], one["cut"]) for one in samples]
        result["outputs"] = degenerate(written)
    return result
