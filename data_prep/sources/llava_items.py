"""Parses items of LLaVA-style JSON: conversations about one or more videos.

An item as people publish it (a JSON list of them, or one per line):

    {"id": ..., "video": "a.mp4" or ["a.mp4", "b.mp4"],
     "conversations": [{"from": "human", "value": "<video>\\n<video>\\nquestion"},
                       {"from": "gpt", "value": "answer"}, ...]}

`videos`, `image` and `images` are read like `video`, `messages` like `conversations`; the forms of
a turn are in `llava_turns.py`. Ours, and optional:

    {"segments": [[start, end], [start, end]], "split": "train", "clips": [{...}, {...}],
     "weights": [1.0, ...], "independent": true}

Spans in seconds and other fields of the clips, both in the order of the videos; weights of the
answers; and whether the questions do not refer to each other.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from data_prep.json_files import is_time
from data_prep.schema.clips import TEXTS, KnownTexts, is_split
from data_prep.schema.line import Row
from data_prep.schema.text import ExchangedQuestion
from data_prep.sources.llava_file import Unreadable
from data_prep.sources.llava_turns import (
    OTHER_FORM,
    Slot,
    Turns,
    WrongItem,
    file_name,
    parse_turns,
    plain_text,
)
from stepdiff_jax.data.prompts import SLOT
from stepdiff_jax.jsonl import shorten


@dataclass(frozen=True)
class Span:
    """A video's name in an item, its segment in seconds (None: all of it), and the clip's fields.

    clip: its id; "" if not given.
    """

    video: str
    segment: tuple[float, float] | None
    fields: Row
    clip: str

    @property
    def texts(self) -> KnownTexts:
        """Keystep, activity and narration."""
        return KnownTexts.of(self.fields)

    def clip_id(self, start: float, end: float) -> str:
        """The clip's own id, or one made from the video's name."""
        # An id cannot have slashes, and two directories may have videos with the same name.
        parts = PurePath(self.video).with_suffix("").parts
        stem = "-".join(part for part in parts if part not in ("..", "/"))
        return self.clip or f"{stem}_{start}_{end}"

    def other_id(self, start: float, end: float) -> str:
        """An id for a video whose name makes another video's id, such as a.mp4 and a.webm."""
        digest = hashlib.sha256(self.video.encode(errors="surrogatepass")).hexdigest()[:8]
        return f"{PurePath(self.video).stem}-{digest}_{start}_{end}"


@dataclass(frozen=True)
class Item:
    """A parsed item.

    spans: in the order in which the conversation shows them.
    independent: whether the questions are asked separately instead of one after the other.
    """

    id: str | int | None
    spans: tuple[Span, ...]
    split: str
    system: str
    questions: list[ExchangedQuestion]
    independent: bool = False

    @property
    def is_pair(self) -> bool:
        """Whether it asks separate questions about two videos, which are shown first."""
        alone = self.independent or len(self.questions) == 1
        placed = any(SLOT in question.question for question in self.questions)
        return len(self.spans) == 2 and alone and not placed and not self.system


def parse_item(value: Any, split: str) -> Item:
    """Parse an item; `split` is for items that name none.

    Raises:
        WrongItem: the item is malformed.
    """
    if isinstance(value, Unreadable):
        raise WrongItem("item is not JSON", value.reason)
    if not isinstance(value, dict):
        raise WrongItem(OTHER_FORM, f"must be an object, got {shorten(value)}")
    name = value.get("id")
    if not isinstance(name, str | int | float | None) or isinstance(name, bool):
        raise WrongItem(OTHER_FORM, f"id must be a string or a number, got {shorten(name)}")
    split = value.get("split", split)
    if not isinstance(split, str) or not is_split(split):
        raise WrongItem(OTHER_FORM, f"split must be a word, and not 'all', got {shorten(split)}")
    turns = parse_turns(value.get("conversations", value.get("messages")))
    spans = _spans(value, turns)
    questions = [ExchangedQuestion(*texts) for texts in turns.turns]
    if "weights" in value:
        questions = [
            ExchangedQuestion(one.question, one.answer, weight_of(weight))
            for one, weight in zip(questions, _list(value, "weights", len(questions)))
        ]
    independent = value.get("independent") is True
    if independent:
        for question in questions:
            plain_text("independent question", question.question)
    if independent and (len(spans) != 2 or turns.system):
        problem = "independent questions must be about two videos, without a system turn"
        raise WrongItem(OTHER_FORM, problem)
    system = turns.system or _system(value)
    return Item(
        str(name) if isinstance(name, float) else name, spans, split, system, questions, independent
    )


def weight_of(value: Any) -> float:
    """The weight of an answer; raises WrongItem if it is not a positive number."""
    if not is_time(value) or value <= 0:
        raise WrongItem("weight is not a positive number", shorten(value))
    return float(value)


def _system(value: Row) -> str:
    text = value.get("system") or ""
    if not isinstance(text, str):
        raise WrongItem(OTHER_FORM, f"system must be a string, got {shorten(text)}")
    return plain_text("system turn", text) if text.strip() else ""


def _spans(value: Row, turns: Turns) -> tuple[Span, ...]:
    """The item's videos and images in the order in which the conversation shows them."""
    listed = [
        Slot(kind, file_name(name)) for kind in ("video", "image") for name in _names(value, kind)
    ]
    named = [slot for slot in turns.slots if slot.name]
    if named and not listed:
        listed = named
    elif named and Counter(named) != Counter(listed):
        raise WrongItem(f"wrong number of {SLOT}", "turns name other files than the item")
    number = len(listed)
    if not number:
        raise WrongItem("item shows no video", "")
    given = value.get("segments") is not None
    segments = _list(value, "segments", number) if given else [None] * number
    fields = _list(value, "clips", number) if value.get("clips") is not None else [{}] * number
    spans = [
        Span(slot.name, _segment(segment), _fields(known), known.get("clip", ""))
        for slot, segment, known in zip(listed, segments, fields)
    ]
    return tuple(spans[index] for index in _order(listed, turns.slots))


def _names(value: Row, kind: str) -> list[Any]:
    found = value.get(kind, value.get(f"{kind}s"))
    if found is None or found == "":
        return []
    return found if isinstance(found, list) else [found]


def _order(listed: Sequence[Slot], slots: Sequence[Slot]) -> list[int]:
    """The index in `listed` of each slot; without slots, all in order.

    If there are as many slots of either kind as files, each takes the next file of its kind;
    otherwise any file, as many datasets write <image> for a video.
    """
    if not slots:
        return list(range(len(listed)))
    if len(slots) != len(listed):
        raise WrongItem(f"wrong number of {SLOT}", f"{len(slots)} for {len(listed)} videos")
    exact = Counter(slot.kind for slot in slots) == Counter(slot.kind for slot in listed)
    waiting = list(range(len(listed)))
    order = []
    for slot in slots:
        fits = (
            index
            for index in waiting
            if (slot.name in ("", listed[index].name))
            and (not exact or slot.kind == listed[index].kind)
        )
        index = next(fits, waiting[0])
        waiting.remove(index)
        order.append(index)
    return order


def _segment(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(map(is_time, value)):
        start, end = value
        if 0 <= start < end:
            return start, end
    raise WrongItem("segment is not [start, end] in seconds", shorten(value))


def _fields(known: Any) -> Row:
    if not isinstance(known, dict):
        raise WrongItem(OTHER_FORM, f"clips must hold objects, got {shorten(known)}")
    for name in ("clip", *TEXTS):
        if not isinstance(known.get(name, ""), str):
            raise WrongItem(OTHER_FORM, f"{name} must be a string, got {shorten(known[name])}")
    return {
        name: text for name, text in known.items() if name not in ("clip", "video", "start", "end")
    }


def _list(value: Row, field: str, length: int) -> list[Any]:
    found = value[field]
    if not isinstance(found, list) or len(found) != length:
        raise WrongItem(OTHER_FORM, f"{field} must be a list of {length}, got {shorten(found)}")
    return found
