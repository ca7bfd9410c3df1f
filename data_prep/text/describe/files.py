"""Captions and scores that another program wrote, as JSON Lines; ours."""

import math
from collections.abc import Sequence
from pathlib import Path

from data_prep.text.describe.base import Captions, Clip
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import JsonLine, read_jsonl


class CaptionsFile:
    """Lines `{"clip", "actions": [str], "objects": [str]}`.

    Raises InputError where a line is not that, and for a clip that the file lacks.
    """

    def __init__(self, path: Path):
        self._path = path
        self._captions = {
            line.string("clip"): Captions(_texts(line, "actions"), _texts(line, "objects"))
            for line in read_jsonl(path)
        }

    def caption(self, clip: Clip) -> Captions:
        """See `Captioner`."""
        if clip.id not in self._captions:
            raise InputError(f"{self._path}: field 'clip': no captions of {clip.id!r}")
        return self._captions[clip.id]


class ScoresFile:
    """Lines `{"clip", "scores": {phrase: number}}`; a phrase without a score has minus infinity.

    Raises InputError where a line is not that, and for a clip that the file lacks.
    """

    def __init__(self, path: Path):
        self._path = path
        self._scores: dict[str, dict[str, float]] = {}
        for line in read_jsonl(path):
            scores = line.get("scores")
            if not isinstance(scores, dict) or not all(map(_is_number, scores.values())):
                line.fail("scores", "must be an object of numbers", scores)
            self._scores[line.string("clip")] = scores

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """See `Scorer`."""
        if clip.id not in self._scores:
            raise InputError(f"{self._path}: field 'clip': no scores of {clip.id!r}")
        known = self._scores[clip.id]
        return [float(known.get(phrase, -math.inf)) for phrase in phrases]


def _texts(line: JsonLine, field: str) -> tuple[str, ...]:
    value = line.get(field)
    return line.strings(field) if value != [] else ()


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
