"""LLaVA-style JSON as a source of clips: the spans of its items, without their questions."""

from collections.abc import Iterator
from pathlib import Path, PurePath

from data_prep.schema.line import Row
from data_prep.schema.segments import SegmentRow
from data_prep.sources.base import Annotated, Segment
from data_prep.sources.llava_file import stream_items
from data_prep.sources.llava_items import Item, Span, parse_item
from data_prep.sources.llava_turns import WrongItem
from data_prep.stage import Rejected
from stepdiff_jax.jsonl import shorten

SPLIT = "train"
"""Split of items that name none."""


class Llava:
    """A JSON list or JSON Lines of items; a `Source`.

    A span shared by several items is one segment. Items without spans are rejected, as that would
    require opening their videos, which `import-llava` does.
    """

    settings = {"split": SPLIT}  # noqa: RUF012

    def __init__(self, path: Path):
        """
        Raises:
            InputError: the file cannot be read, or is neither a JSON list nor JSON Lines.
        """
        self._values = list(stream_items(path))

    def annotations(self) -> Iterator[Annotated]:
        """The annotations item by item, in the order of their videos; one for a malformed item."""
        known: set[str] = set()
        for number, value in enumerate(self._values, start=1):
            try:
                item = parse_item(value, SPLIT)
            except WrongItem as wrong:
                yield Annotated(_row(f"item {number}", 0, shorten(value)), ("",), wrong.rejected)
                continue
            for index, span in enumerate(item.spans):
                found = _segment(item, span)
                if isinstance(found, Segment):
                    if found.clip_id in known:
                        continue
                    known.add(found.clip_id)
                row = _row(f"item {number}", index, span.video)
                yield Annotated(row, (span.video,), found)


def _row(item: str, index: int, value: str) -> Row:
    return {**SegmentRow(item, index).row(), "value": value}


def _segment(item: Item, span: Span) -> Segment | Rejected:
    if span.segment is None:
        return Rejected("segment is not given", span.video)
    start, end = span.segment
    texts = span.texts
    return Segment(
        video=str(PurePath(span.video).with_suffix("")),
        start=start,
        end=end,
        keystep=texts.keystep,
        step=texts.keystep,
        activity=texts.activity,
        split=item.split,
        narration=texts.narration,
        clip=span.clip_id(start, end),
    )
