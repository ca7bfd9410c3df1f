"""Records of sequences.jsonl, single.jsonl and packed pairs."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from data_prep.schema.clips import wrong_split
from data_prep.schema.line import Line, Wrong
from data_prep.schema.text import PairEnds, WeightedQuestion
from stepdiff_jax.data.prompts import SLOT

SEQUENCES_FILE = "sequences.jsonl"
SINGLE_FILE = "single.jsonl"
CONVERSATIONS_FILE = "conversations.jsonl"


class Narrated(Line, frozen=True):
    """A clip of a video, in seconds, with its narration."""

    clip: str
    start: float
    end: float
    narration: str


class VideoClips(Line, frozen=True):
    """Input record of the sequences stage: the clips of a video in order of time."""

    split: str
    video: str
    clips: list[Narrated]

    @property
    def key(self) -> str:
        """Identifies the video within its split."""
        return f"{self.split} {self.video}"


class Sequence(Line, frozen=True):
    """A line of sequences.jsonl (at least two clips) or of single.jsonl (one)."""

    clips: Annotated[list[str], msgspec.Meta(min_length=1)]
    narrations: list[str]
    split: str

    def named_clips(self) -> Iterator[tuple[str, str]]:
        """Field and clip."""
        return (("clips", clip) for clip in self.clips)

    def wrong(self) -> Wrong | None:
        if len(self.narrations) != len(self.clips):
            problem = f"must be a list of {len(self.clips)}"
            return Wrong("narrations", problem, self.narrations)
        if not all(text.strip() for text in self.narrations):
            return Wrong("narrations", "must not be empty", self.narrations)
        return wrong_split(self.split)


class Interleaved(Sequence, frozen=True):
    """A line of sequences.jsonl."""

    def wrong(self) -> Wrong | None:
        if len(self.clips) < 2:
            problem = "must name at least two clips (single clips go to single.jsonl)"
            return Wrong("clips", problem, self.clips)
        return super().wrong()


class Single(Sequence, frozen=True):
    """A line of single.jsonl."""

    def wrong(self) -> Wrong | None:
        if len(self.clips) != 1:
            return Wrong("clips", "must be a list of 1", self.clips)
        return super().wrong()


class LeftOutClip(Line, frozen=True):
    """A quarantine line of the sequences stage."""

    video: str
    split: str
    clip: str
    start: float
    end: float
    narration: str
    reason: str
    detail: str


class VideoSequences(Line, frozen=True):
    """The sequences stage's result for a video."""

    lines: list[Sequence]
    set_aside: list[LeftOutClip] = msgspec.field(name="set aside")
    counts: dict[str, int]


class PackedPair(PairEnds, frozen=True):
    """A line of pairs.jsonl or filtered.jsonl as the pack stage reads it."""

    questions: Annotated[list[WeightedQuestion], msgspec.Meta(min_length=1)]
    split: str

    def named_clips(self) -> Iterator[tuple[str, str]]:
        """Field and clip."""
        yield "reference", self.reference
        yield "candidate", self.candidate

    def wrong(self) -> Wrong | None:
        return wrong_split(self.split)


class PackedConversation(Line, frozen=True):
    """A line of conversations.jsonl as the pack stage reads it.

    Questions may have `SLOT` where the clips stand, in their order.
    """

    clips: Annotated[list[str], msgspec.Meta(min_length=1)]
    turns: Annotated[list[WeightedQuestion], msgspec.Meta(min_length=1)]
    split: str
    system: str = ""

    def named_clips(self) -> Iterator[tuple[str, str]]:
        """Field and clip."""
        return (("clips", clip) for clip in self.clips)

    def wrong(self) -> Wrong | None:
        slots = sum(turn.question.count(SLOT) for turn in self.turns)
        if slots not in (0, len(self.clips)):
            problem = f"must have {SLOT} once per clip ({len(self.clips)}) or not at all"
            return Wrong("turns", problem, [turn.question for turn in self.turns])
        return wrong_split(self.split)
