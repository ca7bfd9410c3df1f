"""The log of an evaluation: a line per instance, from which its figures can be traced.

Lines are appended as instances are answered, so that a killed evaluation goes on where it stopped;
the finished file is in the order of the benchmark.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.identity import difference
from stepdiff_jax.evaluation.post_process import post_process
from stepdiff_jax.evaluation.system import Scored, Written
from stepdiff_jax.files import write_json
from stepdiff_jax.jsonl import JsonLine, whole_lines, write_jsonl

Sample = dict[str, Any]


class SampleLog:
    """The samples of one task in a directory, by the number of their instance.

    Beside them stands what they depend on: nothing is read of another evaluation's.
    """

    def __init__(self, directory: Path, task: str, identity: Mapping[str, Any]):
        """Reads the samples that are there; a last line that was not finished is left out.

        Args:
            identity: JSON values that the answers depend on.
        Raises:
            InputError: a file cannot be read, or holds something else.
        """
        self.path = directory / f"samples_{task}.jsonl"
        self.state_path = directory / f"samples_{task}.json"
        self.samples: dict[int, Sample] = {}
        self.changed = ""
        """In what the evaluation differs that has left samples here; empty if it is this one."""
        # As JSON reads it again: tuples are lists.
        self.state = json.loads(json.dumps({"identity": identity, **_NOTHING}))
        state = _read_state(self.state_path)
        if state is None:
            return
        self.changed = difference(state["identity"], self.state["identity"])
        if not self.changed:
            self.state = state
            self._read()

    def start(self, settings: Mapping[str, Any]) -> None:
        """Record the system's settings; drop what another evaluation has left."""
        if not self.samples:
            self.path.unlink(missing_ok=True)
        self.note(settings=dict(settings))

    def note(self, **fields: Any) -> None:
        """Record whether the system `can_answer`, its `settings`, or the task's `result`."""
        self.state |= fields
        write_json(self.state_path, self.state, indent=1)

    def append(self, samples: Sequence[Sample]) -> None:
        """Add samples, which are on the disk when it returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one, allow_nan=False) + "\n" for one in samples)
            file.flush()
            os.fsync(file.fileno())
        self.samples |= {one["id"]: one for one in samples}

    def sort(self) -> None:
        """Write the file anew in the order of the benchmark."""
        write_jsonl(self.path, (self.samples[number] for number in sorted(self.samples)))

    def chosen(self, numbers: Iterable[int]) -> list[Sample]:
        """The samples of some instances, in the order given."""
        return [self.samples[number] for number in numbers]

    def _read(self) -> None:
        for line in whole_lines(self.path):
            self.samples[_number(line)] = dict(line.fields)


_NOTHING: Mapping[str, Any] = {"can_answer": True, "settings": {}, "result": None}


def results_of(directory: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Task -> the result of each finished task in a directory that depends on the same.

    Each has, under `instances`, which instances of the benchmark it is of, as the task's identity.

    Args:
        identity: what all tasks depend on; a task's own has more fields.
    """
    identity, results = json.loads(json.dumps(identity)), {}
    for path in sorted(directory.glob("samples_*.json")):
        state = _read_state(path)
        if state is not None and state["result"] is not None:
            shared = {name: state["identity"].get(name) for name in identity}
            if not difference(shared, identity):
                task = path.stem.removeprefix("samples_")
                results[task] = {**state["result"], "instances": state["identity"]["instances"]}
    return results


def _read_state(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        state = dict(json.loads(path.read_text(encoding="utf-8")))
        return {name: state[name] for name in ("identity", *_NOTHING)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read: {error}; delete it to start over") from error


def answer_fields(answer: Written | Scored) -> Sample:
    """The fields of a sample that hold the answer, and those of the official prediction."""
    prompts = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in answer.prompts]
    fields: Sample = {"prompts": prompts}
    if isinstance(answer, Written):
        return fields | {
            "output": answer.text,
            "tokens": answer.tokens,
            "cut": answer.cut,
            "generated_text": post_process(answer),
        }
    return fields | {"tokens": list(answer.tokens), "scores": list(answer.scores)}


def _number(line: JsonLine) -> int:
    number = line.get("id")
    if type(number) is not int or number < 0:
        line.fail("id", "must be the number of an instance", number)
    return number
