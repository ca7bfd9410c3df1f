"""Writes interleaved (video, narration) sequences (section 4, "Interleaved") and single clips."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from data_prep.record_files import CLIPS_FILE, finite_number
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl, write_jsonl

CLIPS_PER_SEQUENCE = 3
"""Most clips of a sequence (ours; the paper does not give the length of its sequences)."""


Item = TypeVar("Item")


@dataclass(frozen=True)
class _Spoken:
    """A clip with narration."""

    clip: str
    start: float
    narration: str


def write_sequences(directory: Path, *, clips_per_sequence: int = CLIPS_PER_SEQUENCE) -> int:
    """Write sequences.jsonl and single.jsonl beside clips.jsonl; returns the number of sequences.

    Clips without narration have nothing to learn from and are left out. The others of a video, in
    order of time, are cut into as few and as even sequences of at most `clips_per_sequence` as
    they fill, each clip in one; a clip that remains alone is in no sequence. Every clip is a
    single one, too.

    Raises:
        InputError: fewer than two clips a sequence, clips.jsonl is missing or wrong, or no clip
            has a narration.
    """
    if clips_per_sequence < 2:
        raise InputError(f"clips_per_sequence must be at least 2, got {clips_per_sequence}")
    videos: dict[tuple[str, str], list[_Spoken]] = {}
    for line in read_jsonl(directory / CLIPS_FILE):
        clip, start = line.string("clip"), finite_number(line, "start", line.get("start"))
        narration = line.string("narration").strip()
        if narration:
            group = videos.setdefault((line.string("split"), line.string("video")), [])
            group.append(_Spoken(clip, start, narration))
    if not videos:
        raise InputError(f"{directory / CLIPS_FILE}: no clip has a narration")
    groups = [
        (split, group)
        for (split, _), clips in videos.items()
        for group in split_evenly(sorted(clips, key=lambda c: c.start), clips_per_sequence)
    ]
    sequences = [_line(split, group) for split, group in groups if len(group) > 1]
    singles = [_line(split, [clip]) for split, group in groups for clip in group]
    # An empty file would be refused by whoever reads it, and an old one would be wrong.
    (directory / "sequences.jsonl").unlink(missing_ok=True)
    if sequences:
        write_jsonl(directory / "sequences.jsonl", sequences)
    write_jsonl(directory / "single.jsonl", singles)
    return len(sequences)


def split_evenly(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """As few consecutive groups of at most `most` items as hold all, their sizes one apart."""
    groups = -(-len(items) // most)
    edges = [len(items) * number // groups for number in range(groups + 1)]
    return [items[start:end] for start, end in itertools.pairwise(edges)]


def _line(split: str, group: Sequence[_Spoken]) -> dict[str, str | list[str]]:
    return {
        "clips": [item.clip for item in group],
        "narrations": [item.narration for item in group],
        "split": split,
    }
