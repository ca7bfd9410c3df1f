"""The interface of sources of annotated videos; all later code is shared.

A source is one file that reads its format, and one line in `registry.py`.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from data_prep.schema.line import Row
from data_prep.stage import Rejected
from stepdiff_jax.data.video import MISSING


@dataclass(frozen=True)
class StepError:
    """An error in a step: the source's tag, one of the paper's categories (None if no category
    fits the tag), and a caption."""

    tag: str
    category: str | None
    caption: str


@dataclass(frozen=True)
class Segment:
    """A step shown in a video from `start` to `end` seconds.

    keystep: its text; step: identifies the same step within an activity.
    match: how well the segment matches its keystep, in the source's terms; "" if not given. Among
        near-duplicates, the alphabetically first is kept.
    narration: the source's own narration; `--captions` adds to it.
    clip: its id, if the source defines one.
    errors: None if the source does not judge steps; empty for a step done correctly.
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
        """`<video>_<start>_<end>`, with the numbers as in the source."""
        return self.clip or f"{self.video}_{self.start}_{self.end}"

    @property
    def length(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Annotated:
    """One annotation of a source: a segment, or why it is rejected.

    row: the annotation as JSON, starting with `video` and `place` (its index in the video); it is
        part of the input digest, and written out if the segment is quarantined.
    files: possible names of the video's file.
    """

    row: Row
    files: tuple[str, ...]
    found: Segment | Rejected


class Source(Protocol):
    """Annotated segments and the settings that they depend on."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Recorded in the summary; a finished stage is only reused with the same settings."""
        ...

    def annotations(self) -> Iterable[Annotated]:
        """Every annotation in file order, including invalid ones."""
        ...


def file_problem(path: Path) -> Rejected | None:
    """Why a video file cannot be opened; None if it exists."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Rejected(MISSING, str(path))
    except OSError as error:
        return Rejected("video file cannot be opened", f"{path}: {error.strerror or error}")
    except ValueError as error:  # a NUL byte, or half a character
        return Rejected(MISSING, f"{str(path)!r} is no file name: {error}")
    return None
