"""VidDiffBench, closed evaluation: is a statement truer of video a or of b (Burgess et al. 2025).

The directory has the released Parquet files, at its top or in `data/`, or the same rows as JSON
Lines (`*.jsonl`). Clips are parts of the videos by the paths in the file.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.choice_benchmarks.items import JsonItem
from stepdiff_jax.evaluation.system import ChoiceQuestion
from stepdiff_jax.jsonl import read_jsonl

COLUMNS = ("sample_key", "split", "action_description", "videos", "differences_annotated",
           "differences_gt")  # fmt: skip

OPTIONS = ("the first video", "the second video")
"""The answers a and b (the wording is ours)."""


def read(directory: Path) -> list[ChoiceQuestion]:
    """A question for each difference whose answer is a or b, by `split` (easy, medium, hard).

    Raises:
        InputError: no file, or a field is missing or not as published.
    """
    questions = [one for row in _rows(directory) for one in _questions(row)]
    if not questions:
        raise InputError(f"{directory}: no difference has an answer, a or b")
    return questions


def _questions(row: JsonItem) -> Iterator[ChoiceQuestion]:
    videos = _decoded(row, "videos")
    if not isinstance(videos, list) or len(videos) != 2:
        row.fail("videos", "must hold two videos", videos)
    clips = tuple(_clip(row, video) for video in videos)
    texts, answers = (_mapping(row, name) for name in ("differences_annotated", "differences_gt"))
    for key, answer in answers.items():
        if answer not in ("a", "b"):  # c: no difference; None: not annotated
            continue
        found = texts.get(key)
        text = found.get("description") if isinstance(found, dict) else None
        if not isinstance(text, str) or not text.strip():
            row.fail("differences_annotated", f"has no description of difference {key!r}", found)
        question = (
            f'Two people do this: "{row.text("action_description")}" Of which video is the '
            f'statement "{text.strip()}" more true?'
        )
        yield ChoiceQuestion(clips, row.text("split"), question, OPTIONS, "ab".index(answer))


def _clip(row: JsonItem, video: Any) -> str:
    """`PATH@start-end`, from the indices of the first frame and of the one after the last."""
    path = video.get("path") if isinstance(video, dict) else None
    if not isinstance(path, str) or not path:
        row.fail("videos", "must each have a path", video)
    path = path.removeprefix("./")
    trim, rate = video.get("frames_trim"), video.get("fps_original")
    if trim is None or trim in ([None, None], [0, None]):
        return path
    if not isinstance(trim, list) or len(trim) != 2 or not all(type(one) is int for one in trim):
        row.fail("videos", "must each have frames_trim of two frames", trim)
    if type(rate) not in (int, float) or not rate > 0:
        row.fail("videos", "must each have a positive fps_original", rate)
    return f"{path}@{row.span('videos', trim[0] / rate, (trim[1] - 1) / rate)}"


def _mapping(row: JsonItem, field: str) -> Mapping[str, Any]:
    value = _decoded(row, field)
    if not isinstance(value, dict):
        row.fail(field, "must be a JSON object", value)
    return value


def _decoded(row: JsonItem, field: str) -> Any:
    """The field's value, which is published as a string of JSON."""
    value = row.get(field)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        row.fail(field, "must be JSON", value)


def _rows(directory: Path) -> list[JsonItem]:
    files = sorted([*directory.glob("*.parquet"), *directory.glob("data/*.parquet")])
    if files:
        return [item for path in files for item in _parquet(path)]
    files = sorted(directory.glob("*.jsonl"))
    if not files:
        raise InputError(f"{directory}: no Parquet file, in data/ neither, and no JSON Lines file")
    return [JsonItem(path, line.number, line.fields) for path in files for line in read_jsonl(path)]


def _parquet(path: Path) -> list[JsonItem]:
    # Not needed otherwise, and slow to import.
    import pyarrow.parquet

    try:
        names = pyarrow.parquet.read_schema(path).names
        columns = [name for name in COLUMNS if name in names]
        rows = pyarrow.parquet.read_table(path, columns=columns).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as Parquet: {reason}") from error
    return [JsonItem(path, number, fields) for number, fields in enumerate(rows, start=1)]
