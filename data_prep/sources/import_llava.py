"""LLaVA-style JSON -> clips.jsonl with pairs.jsonl, conversations.jsonl or both."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET

from data_prep.schema.clips import CLIPS_FILE, ClipTexts, clip_row, is_split
from data_prep.schema.line import Row
from data_prep.schema.records import CONVERSATIONS_FILE
from data_prep.schema.segments import ConversationCounts, ItemConversation, ItemPair, ItemRow
from data_prep.schema.text import PAIRS_FILE, QuestionCounts
from data_prep.sources.base import file_problem
from data_prep.sources.llava_file import Unreadable, stream_items, writable
from data_prep.sources.llava_items import Item, Span, parse_item
from data_prep.sources.llava_turns import WrongItem
from data_prep.stage import Rejected, Shard, run_stage
from data_prep.stage.retry import forget_quarantined
from stepdiff_jax.data.video import probe
from stepdiff_jax.errors import InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
IMAGE_SECONDS = 1.0
"""Length of the clip of an image, whose frames are all the same (ours)."""

Result = ItemPair | ItemConversation | Rejected


def import_llava(
    source: Path, videos: Path, destination: Path, *, split: str = "train"
) -> dict[str, dict[str, Any]]:
    """Import a file of items; returns the summaries by file.

    Separate questions about two videos become pairs; other items, with one video, with more, with a
    system turn or with follow-up turns, become conversations. Reads one item at a time. If an item
    has no spans, the clips are whole videos. Invalid items go to the quarantine file of the pairs
    or, if there are conversations only, of the conversations.

    Args:
        videos: directory that the items' video names are relative to.
        split: split of items that name none.
    Raises:
        InputError: the file cannot be read or is neither a JSON list nor JSON Lines, or the
            destination has pairs or conversations of another file; see also `run_stage`.
    """
    if not is_split(split):
        raise InputError(f"--split {split!r}: must be a word, and not 'all'")
    if not videos.is_dir():
        raise InputError(f"{videos}: no such directory of video files")
    rows: list[Row] = []
    results: dict[int, Result] = {}
    clips = _Clips(videos, destination)
    for number, value in enumerate(stream_items(source), start=1):
        value = writable(value)
        known = value.reason if isinstance(value, Unreadable) else value
        rows.append(ItemRow(number, known).row())
        try:
            item = parse_item(value, split)
            results[number] = _result(item, clips.add(item))
        except WrongItem as wrong:
            results[number] = wrong.rejected

    def clip_work(batch: Sequence[ClipTexts]) -> Iterator[ClipTexts]:
        yield from batch

    def item_work(batch: Sequence[ItemRow]) -> Iterator[Result]:
        yield from (results[row.item] for row in batch)

    chosen = _by_file(rows, results)
    for name in _COUNTS:
        if name not in chosen and (destination / name).exists():
            raise InputError(
                f"{destination / name}: was made from other input; choose another destination, or "
                "delete it"
            )
    summaries = {
        CLIPS_FILE: run_stage(
            list(clips.rows.values()),
            ClipTexts,
            clip_work,
            destination / CLIPS_FILE,
            shard=Shard(),
            settings={"split": split},
            # Everything that the item says about a clip, including unknown fields.
            lines=lambda row, result: (row,),
        )
    }
    for name, items in chosen.items():
        summaries[name] = run_stage(
            items,
            ItemRow,
            item_work,
            destination / name,
            shard=Shard(),
            # A video added later turns the same items into different lines.
            settings={"split": split, "clips": len(clips.rows)},
            counts=_COUNTS[name],
        )
    return summaries


def forget_invalid(destination: Path) -> None:
    """Let the next import into a directory try its invalid items again, if there are some."""
    found = [forget_quarantined(destination / name) for name in _COUNTS]
    if any(found):
        (destination / CLIPS_FILE).with_suffix(".summary.json").unlink(missing_ok=True)


_COUNTS: dict[str, Callable[[Row], Mapping[str, int]]] = {
    PAIRS_FILE: lambda row: QuestionCounts.of(row).counts(),
    CONVERSATIONS_FILE: lambda row: ConversationCounts.of(row).counts(),
}


def _by_file(rows: Sequence[Row], results: Mapping[int, Result]) -> dict[str, list[Row]]:
    """The items of each file to write; no file would be empty but for pairs.jsonl."""
    talks = [row for row in rows if isinstance(results[row["item"]], ItemConversation)]
    pairs = [row for row in rows if isinstance(results[row["item"]], ItemPair)]
    if not talks:
        return {PAIRS_FILE: list(rows)}
    if not pairs:
        return {CONVERSATIONS_FILE: list(rows)}
    others = [row for row in rows if not isinstance(results[row["item"]], ItemConversation)]
    return {PAIRS_FILE: others, CONVERSATIONS_FILE: talks}


def _result(item: Item, clips: Sequence[str]) -> ItemPair | ItemConversation:
    name = UNSET if item.id is None else item.id
    if not item.is_pair:
        return ItemConversation(name, list(clips), item.split, item.system, item.questions)
    reference, candidate = clips
    return ItemPair(name, reference, candidate, item.split, item.questions)


class _Clips:
    """The lines of clips.jsonl by id, in order of first use by an item."""

    def __init__(self, videos: Path, destination: Path):
        self.rows: dict[str, Row] = {}
        self._videos, self._destination = videos, destination
        self._durations: dict[str, float | Rejected] = {}

    def add(self, item: Item) -> list[str]:
        """Add the clips and return their ids; raises WrongItem, adding none, if one is bad."""
        found: dict[str, Row] = {}
        names = []
        for span in item.spans:
            name, row = self._named(span, item.split, found)
            found[name] = row
            names.append(name)
        self.rows |= found
        return names

    def _named(self, span: Span, split: str, new: Mapping[str, Row]) -> tuple[str, Row]:
        """The clip's id and its line."""
        path = self._videos / span.video
        problem = file_problem(path)
        if problem:
            raise WrongItem(problem.kind, problem.detail)
        if path.is_dir():
            raise WrongItem("video is not a file", span.video)
        start, end = span.segment or (0.0, self._duration(span.video))
        file = os.path.relpath(path, self._destination)
        names = [span.clip] if span.clip else [span.clip_id(start, end), span.other_id(start, end)]
        for name in names:
            row = clip_row(name, file, start, end, span.fields, split)
            if new.get(name, self.rows.get(name, row)) == row:
                return name, row
        raise WrongItem("clip id names two clips", names[0])

    def _duration(self, video: str) -> float:
        if Path(video).suffix.lower() in IMAGE_SUFFIXES:
            return IMAGE_SECONDS
        if video not in self._durations:
            try:
                self._durations[video] = probe(self._videos / video).duration
            except InputError as error:
                self._durations[video] = Rejected("video cannot be read", str(error))
        duration = self._durations[video]
        if isinstance(duration, Rejected):
            raise WrongItem(duration.kind, duration.detail)
        return duration
