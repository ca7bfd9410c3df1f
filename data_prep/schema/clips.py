"""clips.jsonl and frames.jsonl."""

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from data_prep.schema.line import Finite, Line, Row, Wrong

CLIPS_FILE = "clips.jsonl"
FRAMES_FILE = "frames.jsonl"

TEXTS = ("keystep", "activity", "narration")
"""What is known of a clip; "" if an exchange format does not say it."""

_SPLIT = re.compile(r"[A-Za-z]\w*")


def is_split(name: str) -> bool:
    """Whether a name will do for a split; "all" would mean every split to TFDS."""
    return bool(_SPLIT.fullmatch(name)) and name.lower() != "all"


def wrong_split(name: str) -> Wrong | None:
    """What is wrong with a line's split, if anything is."""
    return None if is_split(name) else Wrong("split", "must be a word, and not 'all'", name)


class ClipSpan(Line, frozen=True):
    """Part of a video file, in seconds; what the frames stage reads."""

    clip: str
    video: str
    start: Finite
    end: Finite

    @property
    def key(self) -> str:
        """The clip's id."""
        return self.clip


class ClipTexts(ClipSpan, frozen=True):
    """A clip with what is known of it; what an export reads."""

    keystep: str
    activity: str
    narration: str


class KnownTexts(Line, frozen=True):
    """What an exchange format says of a clip, as far as it does."""

    keystep: str = ""
    activity: str = ""
    narration: str = ""


def clip_row(clip: str, video: str, start: float, end: float, known: Row, split: str) -> Row:
    """A line of clips.jsonl with all that an exchange format knows of the clip; texts may be "".

    Times stay as they are given: a whole number is written without a point.
    """
    texts = ClipTexts(clip, video, start, end, "", "", "").row()
    return {**texts, **known, "clip": clip, "split": split}


def known_of(row: Row) -> Row:
    """All that a line says of a clip beside its span and its split: id and texts, then the rest."""
    first = ("clip", *TEXTS)
    rest = [name for name in row if name not in (*first, "video", "start", "end", "split")]
    return {name: row[name] for name in (*first, *rest)}


def span_of(row: Row) -> list[float]:
    """Start and end in seconds, as they are written."""
    return [row["start"], row["end"]]


class Clip(ClipTexts, frozen=True):
    """A line of clips.jsonl as the sources write it; `match` is HT-Step's, "full" or "partial"."""

    split: str
    match: str | UnsetType = UNSET


class StepClip(Line, frozen=True):
    """What the describe stage reads; the span matters to models that look at frames."""

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
    """What the pair stage reads."""

    clip: str
    split: str
    keystep: str


class SpokenClip(Line, frozen=True):
    """What the sequences stage reads."""

    clip: str
    video: str
    start: Finite
    end: Finite
    narration: str
    split: str


class PackedClip(Line, frozen=True):
    """What is packed."""

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
    """What later stages read of frames.jsonl."""

    clip: str
    file: str
    sha256: str
    times: Annotated[list[Finite], msgspec.Meta(min_length=1)]
    decoder: str


class ClipCounts(Line, frozen=True):
    """What is counted of a clip's line, or of one that was set aside."""

    reason: str | UnsetType = UNSET
    match: str | UnsetType = UNSET
    narration: str | None = ""

    def counts(self) -> dict[str, int]:
        """Names of the summary's counts."""
        if self.reason is not UNSET:
            return {}
        matched = {} if self.match is UNSET else {f"{self.match} match": 1}
        return {**matched, "with narration": int(bool(self.narration))}
