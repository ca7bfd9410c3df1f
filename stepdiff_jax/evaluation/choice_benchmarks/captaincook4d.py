"""CaptainCook4D: in which of two videos is a step done with an error (the questions are ours).

The directory has `differences.jsonl`, which `stepdiff prep differences` writes from the released
annotations: pairs of one step done right (reference) and with errors (candidate).
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.choice_benchmarks.items import JsonItem
from stepdiff_jax.evaluation.system import ChoiceQuestion
from stepdiff_jax.jsonl import read_jsonl

FILE = "differences.jsonl"
OPTIONS = ("the first video", "the second video")


def read(directory: Path) -> list[ChoiceQuestion]:
    """A question for each error's text, by category.

    A hash of the pair and the text says which video comes first, so that position tells nothing.

    Raises:
        InputError: the file is missing, a field is missing or invalid, or no pair has an error.
    """
    path = directory / FILE
    if not path.is_file():
        raise InputError(f"{path}: no such file (stepdiff prep differences writes it)")
    questions = [
        one
        for line in read_jsonl(path)
        for one in _questions(JsonItem(path, line.number, line.fields))
    ]
    if not questions:
        raise InputError(f"{path}: no pair has a caption")
    return questions


def _questions(item: JsonItem) -> Iterator[ChoiceQuestion]:
    right, wrong = item.text("reference"), item.text("candidate")
    keystep, category = str(item.get("keystep")), item.text("category")
    captions = item.get("captions")
    for caption in item.strings("captions") if captions else ():
        digest = hashlib.sha256("\n".join([right, wrong, caption]).encode()).digest()
        first = digest[0] % 2
        clips = (wrong, right) if first else (right, wrong)
        question = (
            f'Two people do this step: "{keystep}" One of them makes a mistake: '
            f'"{caption.strip()}" In which video?'
        )
        yield ChoiceQuestion(clips, category, question, OPTIONS, clips.index(wrong))
