"""Reads HowTo100M's narration: `raw_caption.json` and the sentence-level files of the same form."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.json_files import fail, is_time, member, read_object
from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class Sentence:
    """What is said in a video from `start` to `end` seconds."""

    text: str
    start: float
    end: float


def read_captions(path: Path, videos: Container[str]) -> dict[str, list[Sentence]]:
    """Video -> its sentences in order of start, for those of `videos` that the file has.

    Raises:
        InputError: the file cannot be read, a field is missing or wrong, or a video's three lists
            differ in length.
    """
    return {
        video: _sentences(path, video, fields)
        for video, fields in read_object(path).items()
        if video in videos
    }


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


def _sentences(path: Path, video: str, fields: Any) -> list[Sentence]:
    texts, starts, ends = (
        member(path, video, fields, name, list) for name in ("text", "start", "end")
    )
    for name, values in (("start", starts), ("end", ends)):
        if len(values) != len(texts):
            fail(path, video, name, f"must hold {len(texts)} times, one a text", len(values))
        for value in values:
            if not is_time(value):
                fail(path, video, name, "must hold finite numbers", value)
    for text in texts:
        if not isinstance(text, str):
            fail(path, video, "text", "must hold strings", text)
    sentences = map(Sentence, texts, map(float, starts), map(float, ends))
    return sorted(sentences, key=lambda sentence: sentence.start)
