"""LLaVA-style JSON with two videos -> clips.jsonl and pairs.jsonl."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET

from data_prep.schema.clips import CLIPS_FILE, ClipTexts, clip_row, is_split
from data_prep.schema.line import Row
from data_prep.schema.segments import ItemPair, ItemRow
from data_prep.schema.text import PAIRS_FILE, QuestionCounts
from data_prep.sources.llava_items import Item, Span, WrongItem, parse_item, stream_items
from data_prep.stage import Rejected, Shard, run_stage
from stepdiff_jax.data.video import probe
from stepdiff_jax.errors import InputError


def import_llava(
    source: Path, videos: Path, destination: Path, *, split: str = "train"
) -> dict[str, dict[str, Any]]:
    """Import a JSON list of items as clips.jsonl and pairs.jsonl; returns the summaries by file.

    Reads one item at a time. If an item has no spans, the clips are whole videos. Invalid items go
    to pairs.quarantine.jsonl.

    Args:
        videos: directory that the items' video names are relative to.
        split: split of items that name none.
    Raises:
        InputError: the file cannot be read or is not a JSON list; see also `run_stage`.
    """
    if not is_split(split):
        raise InputError(f"--split {split!r}: must be a word, and not 'all'")
    if not videos.is_dir():
        raise InputError(f"{videos}: no such directory of video files")
    rows: list[Row] = []
    results: dict[int, ItemPair | Rejected] = {}
    clips = _Clips(videos, destination)
    for number, value in enumerate(stream_items(source), start=1):
        rows.append(ItemRow(number, value).row())
        try:
            item = parse_item(value, split)
            reference, candidate = clips.add(item)
        except WrongItem as wrong:
            results[number] = wrong.rejected
            continue
        results[number] = ItemPair(
            id=UNSET if item.id is None else item.id,
            reference=reference,
            candidate=candidate,
            split=item.split,
            questions=item.questions,
        )

    def clip_work(batch: Sequence[ClipTexts]) -> Iterator[ClipTexts]:
        yield from batch

    def pair_work(batch: Sequence[ItemRow]) -> Iterator[ItemPair | Rejected]:
        yield from (results[row.item] for row in batch)

    return {
        CLIPS_FILE: run_stage(
            list(clips.rows.values()),
            ClipTexts,
            clip_work,
            destination / CLIPS_FILE,
            shard=Shard(),
            settings={"split": split},
            # Everything that the item says about a clip, including unknown fields.
            lines=lambda row, result: (row,),
        ),
        PAIRS_FILE: run_stage(
            rows,
            ItemRow,
            pair_work,
            destination / PAIRS_FILE,
            shard=Shard(),
            # A video added later turns the same items into different pairs.
            settings={"split": split, "clips": len(clips.rows)},
            counts=lambda row: QuestionCounts.of(row).counts(),
        ),
    }


class _Clips:
    """The lines of clips.jsonl by id, in order of first use by an item."""

    def __init__(self, videos: Path, destination: Path):
        self.rows: dict[str, Row] = {}
        self._videos, self._destination = videos, destination
        self._durations: dict[str, float | Rejected] = {}

    def add(self, item: Item) -> tuple[str, str]:
        """Add both clips and return their ids; raises WrongItem, adding neither, if one is bad."""
        found: dict[str, Row] = {}
        names = []
        for span in item.spans:
            row = self._row(span, item.split)
            name = ClipTexts.of(row).clip
            if found.setdefault(name, self.rows.get(name, row)) != row:
                raise WrongItem("clip id names two clips", name)
            names.append(name)
        self.rows |= found
        return names[0], names[1]

    def _row(self, span: Span, split: str) -> Row:
        path = self._videos / span.video
        if not path.is_file():
            raise WrongItem("video file is missing", span.video)
        start, end = span.segment or (0.0, self._duration(span.video))
        file = os.path.relpath(path, self._destination)
        return clip_row(span.clip_id(start, end), file, start, end, span.fields, split)

    def _duration(self, video: str) -> float:
        if video not in self._durations:
            try:
                self._durations[video] = probe(self._videos / video).duration
            except InputError as error:
                self._durations[video] = Rejected("video cannot be read", str(error))
        duration = self._durations[video]
        if isinstance(duration, Rejected):
            raise WrongItem(duration.kind, duration.detail)
        return duration
