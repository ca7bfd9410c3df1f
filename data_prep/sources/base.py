"""What a source of annotated videos gives; all that comes after is common code.

A source is one file that reads its own format, and one line in `registry.py`.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from data_prep.schema.line import Row
from data_prep.stage import Rejected


@dataclass(frozen=True)
class StepError:
    """What was done wrong in a step: the source's tag, one of the paper's categories (None if no
    category fits the tag), and a caption."""

    tag: str
    category: str | None
    caption: str


@dataclass(frozen=True)
class Segment:
    """A step that a video shows from `start` to `end` seconds.

    keystep: its words; step: what is the same for the same step of the same activity.
    match: how the segment agrees with its keystep, as the source says it; of near-duplicates the
        first in alphabetical order stays. "" if the source does not say it.
    narration: what the source itself has; `--captions` adds to it.
    clip: its id, if the source has one of its own.
    errors: None if the source does not judge steps; empty for a step that was done right.
    """

    video: str
    start: float
    end: float
    keystep: str
    step: Hashable
    activity: str
    split: str
    match: str = ""
    narration: str = ""
    clip: str = ""
    errors: tuple[StepError, ...] | None = None

    @property
    def clip_id(self) -> str:
        """`<video>_<start>_<end>`, with the numbers as the source has them."""
        return self.clip or f"{self.video}_{self.start}_{self.end}"

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Annotated:
    """One annotation of a source: a segment, or why it is none.

    row: what was annotated, as JSON has it, beginning with `video` and `place` (index in the
        video); it is digested, and written out if the segment is set aside.
    files: names that the video may have in the directory of videos.
    """

    row: Row
    files: tuple[str, ...]
    found: Segment | Rejected


class Source(Protocol):
    """Annotated segments, and the settings that they depend on."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Part of the summary; a stage that is done was done with these."""
        ...

    def annotations(self) -> Iterable[Annotated]:
        """Every annotation, in the file's order, wrong ones included."""
        ...


VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv")


def video_files(video: str) -> tuple[str, ...]:
    """The names that a video's file may have."""
    return tuple(f"{video}{suffix}" for suffix in VIDEO_SUFFIXES)
