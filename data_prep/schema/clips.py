"""clips.jsonl and frames.jsonl."""

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from data_prep.schema.line import Finite, Line, Row, Wrong

CLIPS_FILE = "clips.jsonl"
FRAMES_FILE = "frames.jsonl"

TEXTS = ("keystep", "activity", "narration")
"""Texts about a clip; "" if an exchange format lacks them."""

_SPLIT = re.compile(r"[A-Za-z]\w*")


def is_split(name: str) -> bool:
    """Whether a name is valid for a split; TFDS reserves "all" for every split."""
    return bool(_SPLIT.fullmatch(name)) and name.lower() != "all"


def wrong_split(name: str) -> Wrong | None:
    """What is wrong with a line's split, if anything."""
    return None if is_split(name) else Wrong("split", "must be a word, and not 'all'", name)


class ClipSpan(Line, frozen=True):
    """Part of a video file, in seconds, as the frames stage reads it."""

    clip: str
    video: str
    start: Finite
    end: Finite

    @property
    def key(self) -> str:
        """The clip's id."""
        return self.clip


class ClipTexts(ClipSpan, frozen=True):
    """A clip with its texts, as an export reads it."""

    keystep: str
    activity: str
    narration: str


class KnownTexts(Line, frozen=True):
    """Texts about a clip in an exchange format, where present."""

    keystep: str = ""
    activity: str = ""
    narration: str = ""


def clip_row(clip: str, video: str, start: float, end: float, known: Row, split: str) -> Row:
    """A line of clips.jsonl with all that an exchange format says about the clip; texts may be "".

    Times are kept as given: whole numbers are written without a decimal point.
    """
    texts = ClipTexts(clip, video, start, end, "", "", "").row()
    return {**texts, **known, "clip": clip, "split": split}


def known_of(row: Row) -> Row:
    """All fields of a clip except its span and split: id and texts, then the others."""
    first = ("clip", *TEXTS)
    others = [name for name in row if name not in (*first, "video", "start", "end", "split")]
    return {name: row[name] for name in (*first, *others)}


def span_of(row: Row) -> list[float]:
    """Start and end in seconds, as written in the line."""
    return [row["start"], row["end"]]


class Clip(ClipTexts, frozen=True):
    """A line of clips.jsonl as sources write it; `match` is HT-Step's, "full" or "partial"."""

    split: str
    match: str | UnsetType = UNSET


class StepClip(Line, frozen=True):
    """A clip as the describe stage reads it; the span is for models that use frames."""

    clip: str
    keystep: str
    narration: str
    video: str = ""
    start: Finite = 0.0
    end: Finite = 0.0

    @property
    def key(self) -> str:
        """The clip's id."""
        return self.clip


class KeystepClip(Line, frozen=True):
    """A clip as the pair stage reads it."""

    clip: str
    split: str
    keystep: str


class SpokenClip(Line, frozen=True):
    """A clip as the sequences stage reads it."""

    clip: str
    video: str
    start: Finite
    end: Finite
    narration: str
    split: str


class PackedClip(Line, frozen=True):
    """A clip as the pack stage reads it."""

    clip: str
    keystep: str
    activity: str
    narration: str
    split: str

    def wrong(self) -> Wrong | None:
        return wrong_split(self.split)


class Frames(Line, frozen=True):
    """A line of frames.jsonl: a tar archive of JPEG images; times in seconds, sizes in pixels."""

    clip: str
    file: str
    sha256: str
    times: list[float]
    width: int
    height: int
    decoder: str


class FramesFile(Line, frozen=True):
    """A line of frames.jsonl as later stages read it."""

    clip: str
    file: str
    sha256: str
    times: Annotated[list[Finite], msgspec.Meta(min_length=1)]
    decoder: str


class ClipCounts(Line, frozen=True):
    """What the summary counts of a clip, kept or quarantined."""

    reason: str | UnsetType = UNSET
    match: str | UnsetType = UNSET
    narration: str | None = ""

    def counts(self) -> dict[str, int]:
        """Counts for the summary, by name."""
        if self.reason is not UNSET:
            return {}
        matched = {} if self.match is UNSET else {f"{self.match} match": 1}
        return {**matched, "with narration": int(bool(self.narration))}
