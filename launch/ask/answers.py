"""The answers of `stepdiff ask`: a line each in a file, so that a killed run goes on."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from stepdiff_jax.inference.api import BATCH_GROUPS, StepDiff
from stepdiff_jax.jsonl import whole_lines
from stepdiff_jax.progress import ProgressLine

Group = tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A group of videos, and the answers to the questions about it by the question's name."""

    videos: Group
    answers: Mapping[str, str]


class AnswerFile:
    """JSON Lines with `videos`, `name`, `question`, `answer` and `model`, appended as they come."""

    def __init__(self, path: Path, model: str):
        """Reads the answers that are there.

        Args:
            model: identifies the weights.
        Raises:
            InputError: the file cannot be read, or has answers of another model.
        """
        self.path, self.model = path, model
        self.known: dict[tuple[Group, str], str] = {}
        for line in whole_lines(path):
            other = line.string("model")
            if other != model:
                line.fail("model", f"must be {model!r}, as the answers are of one model", other)
            self.known[line.strings("videos"), line.string("question")] = line.string("answer")

    def append(self, group: Group, questions: Mapping[str, str], answers: Sequence[str]) -> None:
        """Add a group's answers to some questions by name; they are on the disk on return."""
        with self.path.open("a", encoding="utf-8") as file:
            for (name, question), answer in zip(questions.items(), answers, strict=True):
                self.known[group, question] = answer
                fields = {"videos": group, "name": name, "question": question, "answer": answer}
                file.write(json.dumps(fields | {"model": self.model}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def missing(self, group: Group, questions: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the questions that have no answer yet."""
        return tuple(
            name for name, question in questions.items() if (group, question) not in self.known
        )


def ask_groups(
    model: StepDiff,
    groups: Sequence[Group],
    questions: Mapping[str, str],
    file: AnswerFile,
    *,
    new_tokens: int,
) -> list[Asked]:
    """Ask what has no answer in the file yet, and return all answers."""

    def missing(group: Group) -> tuple[str, ...]:
        return file.missing(group, questions)

    waiting = [group for group in groups if missing(group)]
    with ProgressLine("answered", len(groups), len(groups) - len(waiting)) as progress:
        for names, part in groupby(waiting, missing):
            asked = {name: questions[name] for name in names}
            alike = list(part)
            for start in range(0, len(alike), BATCH_GROUPS):
                batch = alike[start : start + BATCH_GROUPS]
                found = model.answers(batch, list(asked.values()), new_tokens=new_tokens)
                for group, answers in zip(batch, found):
                    file.append(group, asked, answers)
                progress.advance(len(batch))
    return [
        Asked(group, {name: file.known[group, one] for name, one in questions.items()})
        for group in groups
    ]
