"""Reads HowTo100M's narration, video by video, in all three released formats.

`raw_caption.json` and the sentence-level files in the same format are streamed, as they are far
larger than the memory of a small machine.
"""

import io
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson

from data_prep.json_files import is_time
from data_prep.sources.csv_files import IS_NOT_UTF8, NOT_UTF8, CsvRow, stream_csv
from data_prep.sources.json_stream import WellFormedJson
from data_prep.stage import Rejected
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten

OTHER_FORM = "captions are of another form"
NOT_TEXT = "captions are not UTF-8"

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Sentence:
    """A sentence spoken in a video from `start` to `end` seconds."""

    text: str
    start: float
    end: float


def stream_captions(
    path: Path, videos: Container[str]
) -> Iterator[tuple[str, list[Sentence] | Rejected]]:
    """Yield each of `videos` in the file, with its sentences in order of start.

    `.csv` is HTM-AA (vid,timestamp,text; a sentence has one point in time); any other file is JSON
    in the format of raw_caption.json, with one video in memory at a time. A video whose captions
    are malformed, not UTF-8 or twice in a JSON file comes with the reason instead.

    Raises:
        InputError: the file cannot be read, is not JSON or CSV in that format, or has a damaged row
            of an unknown video.
    """
    if path.suffix.lower() == ".csv":
        yield from _aligned(path, videos)
        return
    try:
        with path.open(encoding="utf-8", errors="mark", newline="") as file:
            yield from _captions(path, file, videos)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def narration(sentences: Sequence[Sentence], start: float, end: float, margin: float = 0.0) -> str:
    """The sentences that overlap [start - margin, end + margin] seconds, joined by spaces.

    The paper does not say how narration is assigned to clips; this is **ours**.

    Raises:
        InputError: a negative margin.
    """
    if margin < 0:
        raise InputError(f"narration margin must not be negative, got {margin}")
    heard = (
        " ".join(sentence.text.split())
        for sentence in sentences
        if sentence.start < end + margin and sentence.end > start - margin
    )
    return " ".join(text for text in heard if text)


class _Bytes:
    """A text file as UTF-8 bytes for the JSON parser."""

    def __init__(self, file: io.TextIOBase):
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(size).encode()


def _captions(
    path: Path, file: Any, videos: Container[str]
) -> Iterator[tuple[str, list[Sentence] | Rejected]]:
    empty = True
    found: set[str] = set()
    try:
        for video, fields in ijson.kvitems(WellFormedJson(_Bytes(file)), "", use_float=True):
            empty = False
            if video in found:
                yield video, Rejected(OTHER_FORM, "the file has this video twice")
            elif video in videos:
                found.add(video)
                yield video, _sentences(fields)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON: {' '.join(str(error).split())}") from error
    if empty:
        raise InputError(f"{path}: must hold a non-empty JSON object")


def _sentences(fields: Any) -> list[Sentence] | Rejected:
    found = fields if isinstance(fields, dict) else {}
    texts, starts, ends = (found.get(name) for name in ("text", "start", "end"))
    if not (isinstance(texts, list) and isinstance(starts, list) and isinstance(ends, list)):
        return Rejected(OTHER_FORM, f"text, start and end must be lists, got {shorten(fields)}")
    if not len(texts) == len(starts) == len(ends):
        return Rejected(OTHER_FORM, f"{len(texts)} texts, {len(starts)} starts, {len(ends)} ends")
    for value in (*starts, *ends):
        if not is_time(value):
            return Rejected(OTHER_FORM, f"{shorten(value)} is no time in seconds")
    return _checked(texts, list(map(float, starts)), list(map(float, ends)))


def _checked(
    texts: Sequence[Any], starts: Sequence[float], ends: Sequence[float]
) -> list[Sentence] | Rejected:
    for text in texts:
        if not isinstance(text, str):
            return Rejected(OTHER_FORM, f"{shorten(text)} is no text")
        if NOT_UTF8 in text:
            return Rejected(NOT_TEXT, shorten(text.replace(NOT_UTF8, "?")))
    return sorted(map(Sentence, texts, starts, ends), key=lambda sentence: sentence.start)


def _aligned(path: Path, videos: Container[str]) -> Iterator[tuple[str, list[Sentence] | Rejected]]:
    """Read HTM-AA; a video's rows need not be adjacent, so those of `videos` are collected."""
    found: dict[str, tuple[list[str], list[float]]] = {}
    bad: dict[str, Rejected] = {}
    for row in stream_csv(path, ("vid", "timestamp", "text")):
        video, timestamp = row.fields.get("vid"), row.fields.get("timestamp", "")
        time = float(timestamp) if _SECONDS.fullmatch(timestamp.strip()) else float("nan")
        if video not in videos:
            if row.problem and not is_time(time):
                raise row.error()  # nobody knows whose sentence it is
            continue
        assert video is not None
        if row.problem or not is_time(time):
            bad.setdefault(video, _bad_row(row, timestamp))
            continue
        texts, times = found.setdefault(video, ([], []))
        texts.append(row.fields["text"])
        times.append(time)
    for video, (texts, times) in found.items():
        if video not in bad:
            yield video, _checked(texts, times, times)
    yield from bad.items()


def _bad_row(row: CsvRow, timestamp: str) -> Rejected:
    kind = NOT_TEXT if row.problem == IS_NOT_UTF8 else OTHER_FORM
    return Rejected(
        kind, f"line {row.line}: {row.problem or f'{shorten(timestamp)} is no time in seconds'}"
    )
