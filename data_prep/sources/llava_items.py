"""Parses and writes items of LLaVA-style JSON about two videos.

An item is a conversation as in LLaVA's training data, with "<video>" instead of "<image>":

    {"id": ..., "video": ["a.mp4", "b.mp4"],
     "conversations": [{"from": "human", "value": "<video>\\n<video>\\nquestion"},
                       {"from": "gpt", "value": "answer"}, ...],
     "segments": [[start, end], [start, end]], "split": "train", "clips": [{...}, {...}]}

The last line is ours and optional: spans in seconds, and other fields of the clips.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO, NamedTuple

import ijson
from msgspec import UNSET

from data_prep.json_files import is_time
from data_prep.schema.clips import TEXTS, KnownTexts, is_split, known_of, span_of
from data_prep.schema.line import Row
from data_prep.schema.text import ExchangedQuestion, ExportedPair
from data_prep.stage import Rejected
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten

SLOT = "<video>"
OTHER_FORM = "item is of another form"
_SLOTS_AROUND = re.compile(rf"^(?:\s*{SLOT})*|(?:{SLOT}\s*)*$")


class WrongItem(Exception):
    """Raised for an invalid item; `rejected` says why."""

    def __init__(self, kind: str, detail: str):
        super().__init__(kind)
        self.rejected = Rejected(kind, detail)


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


@dataclass(frozen=True)
class Item:
    """A parsed item."""

    id: str | int | None
    spans: tuple[Span, Span]
    split: str
    questions: list[ExchangedQuestion]


class Known(NamedTuple):
    """A line of clips.jsonl, and the name of its video in an item."""

    row: Row
    video: str


def item_of(pair: ExportedPair, reference: Known, candidate: Known) -> Row:
    """The item for a line of pairs.jsonl.

    Raises:
        WrongItem: the pair has no questions, or something that an item cannot express.
    """
    conversations = []
    weights = []
    for number, question in enumerate(pair.questions or ()):
        asked = _text("question", question.question)
        slots = f"{SLOT}\n{SLOT}\n" if number == 0 else ""
        conversations += [
            {"from": "human", "value": slots + asked},
            {"from": "gpt", "value": _text("answer", question.answer)},
        ]
        weights.append(1.0 if question.weight is UNSET else _weight(question.weight))
    if not conversations:
        raise WrongItem("pair has no questions", "")
    clips = [reference.row, candidate.row]
    item = {
        "id": pair.key if pair.id is UNSET else pair.id,
        "video": [reference.video, candidate.video],
        "conversations": conversations,
        "segments": [span_of(clip) for clip in clips],
        "split": pair.split,
        "clips": [known_of(clip) for clip in clips],
    }
    return item if set(weights) == {1.0} else {**item, "weights": weights}


def stream_items(path: Path) -> Iterator[Any]:
    """The values of a JSON list, one at a time.

    Raises:
        InputError: the file cannot be read or is not a JSON list.
    """
    try:
        with path.open("rb") as file:
            if _first_byte(file) != b"[":
                raise InputError(f"{path}: must hold a JSON list")
            yield from ijson.items(file, "item", use_float=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON: {' '.join(str(error).split())}") from error


def _first_byte(file: BinaryIO) -> bytes:
    """The first byte that is not whitespace; rewinds the file."""
    byte = file.read(1)
    while byte.isspace():
        byte = file.read(1)
    file.seek(0)
    return byte


def parse_item(value: Any, split: str) -> Item:
    """Parse an item; `split` is for items that name none.

    Raises:
        WrongItem: the item is malformed.
    """
    if not isinstance(value, dict):
        raise WrongItem(OTHER_FORM, f"must be an object, got {shorten(value)}")
    name = value.get("id")
    if not isinstance(name, str | int | None):
        raise WrongItem(OTHER_FORM, f"id must be a string or a number, got {shorten(name)}")
    split = value.get("split", split)
    if not isinstance(split, str) or not is_split(split):
        raise WrongItem(OTHER_FORM, f"split must be a word, and not 'all', got {shorten(split)}")
    questions = _questions(value.get("conversations"))
    if "weights" in value:
        questions = [
            ExchangedQuestion(one.question, one.answer, _weight(weight))
            for one, weight in zip(questions, _list(value, "weights", len(questions)))
        ]
    return Item(name, _spans(value), split, questions)


def _text(name: str, text: str) -> str:
    text = text.strip()
    if not text:
        raise WrongItem(f"{name} is empty", "")
    if SLOT in text:
        raise WrongItem(f"{name} holds {SLOT}", shorten(text))
    return text


def _weight(value: Any) -> float:
    if not is_time(value) or value <= 0:
        raise WrongItem("weight is not a positive number", shorten(value))
    return float(value)


def _spans(value: Row) -> tuple[Span, Span]:
    videos = value.get("video")
    videos = videos if isinstance(videos, list) else [videos]
    if not all(isinstance(name, str) and name for name in videos):
        raise WrongItem(OTHER_FORM, f"video must hold names, got {shorten(value.get('video'))}")
    if len(videos) != 2:
        number = f"{len(videos)} video{'s' if len(videos) != 1 else ''}"
        raise WrongItem("item is not about two videos", number)
    segments = _list(value, "segments", 2) if value.get("segments") is not None else [None, None]
    fields = _list(value, "clips", 2) if value.get("clips") is not None else [{}, {}]
    first, second = (
        Span(video, _segment(segment), _fields(known), known.get("clip", ""))
        for video, segment, known in zip(videos, segments, fields)
    )
    return first, second


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


def _questions(turns: Any) -> list[ExchangedQuestion]:
    if not isinstance(turns, list) or not turns:
        raise WrongItem(OTHER_FORM, f"conversations must be a list, got {shorten(turns)}")
    texts = [_turn(turn) for turn in turns]
    roles = [role for role, _ in texts]
    for number, role in enumerate(roles):
        if role != ("human", "gpt")[number % 2]:
            kind = "question without an answer" if role == "human" else "answer without a question"
            raise WrongItem(kind, f"turn {number + 1} of {len(roles)} is {role}")
    if len(roles) % 2:
        raise WrongItem("question without an answer", shorten(texts[-1][1]))
    slots = [text.count(SLOT) for _, text in texts]
    if slots[0] != 2 or any(slots[1:]):
        detail = f"{slots[0]} in the first turn, {sum(slots[1:])} in others, for 2 videos"
        raise WrongItem(f"wrong number of {SLOT}", detail)
    return [
        ExchangedQuestion(_text("question", _SLOTS_AROUND.sub("", asked)), _text("answer", answer))
        for (_, asked), (_, answer) in zip(texts[::2], texts[1::2])
    ]


def _turn(turn: Any) -> tuple[str, str]:
    fields = turn if isinstance(turn, dict) else {}
    role, text = fields.get("from"), fields.get("value")
    if not isinstance(role, str) or not isinstance(text, str):
        raise WrongItem(OTHER_FORM, f"a turn must have from and value, got {shorten(turn)}")
    if role not in ("human", "gpt"):
        raise WrongItem("unknown role", shorten(role))
    return role, text
