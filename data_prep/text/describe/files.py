"""Captions and scores from other programs, as JSON Lines; the formats are ours."""

import math
from collections.abc import Sequence
from pathlib import Path

from data_prep.schema import text as lines
from data_prep.schema.line import stream_lines
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.captioners.base import Captions, Clip


class CaptionsFile:
    """Captions from lines `{"clip", "actions": [str], "objects": [str]}`.

    Raises InputError if a line is malformed or a requested clip is not in the file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._captions = {
            found.clip: Captions(tuple(found.actions), tuple(found.objects))
            for _, found in stream_lines(path, lines.Captions)
        }

    def caption(self, clip: Clip) -> Captions:
        """See `Captioner`."""
        if clip.id not in self._captions:
            raise InputError(f"{self._path}: field 'clip': no captions of {clip.id!r}")
        return self._captions[clip.id]


class ScoresFile:
    """Scores from lines `{"clip", "scores": {phrase: number}}`; missing ones are minus infinity.

    Raises InputError if a line is malformed or a requested clip is not in the file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._scores = {found.clip: found.scores for _, found in stream_lines(path, lines.Scores)}

    def scores(self, clip: Clip, phrases: Sequence[str]) -> list[float]:
        """See `Scorer`."""
        if clip.id not in self._scores:
            raise InputError(f"{self._path}: field 'clip': no scores of {clip.id!r}")
        known = self._scores[clip.id]
        return [known.get(phrase, -math.inf) for phrase in phrases]
