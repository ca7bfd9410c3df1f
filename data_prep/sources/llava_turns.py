"""The conversation of an item of LLaVA-style JSON: its questions, answers and videos.

Turns are `{"from": "human" | "gpt" | "system", "value": text}` as in LLaVA's data, or `{"role":
"user" | "assistant" | "system", "content": text or parts}` as in chat APIs. A part is `{"type":
"text", "text": ...}`, `{"type": "video", "video": name}` or `{"type": "video_url", "video_url":
{"url": name}}`, and the same with "image"; a part without a name stands for the next video.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from data_prep.stage import Rejected
from stepdiff_jax.data.prompts import SLOT
from stepdiff_jax.jsonl import shorten

OTHER_FORM = "item is of another form"
ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "system": "system",
}
_SLOT = re.compile("<(video|image)>")
_SLOTS_AROUND = re.compile(rf"^(?:\s*{SLOT})*|(?:{SLOT}\s*)*$")

Kind = Literal["video", "image"]


class WrongItem(Exception):
    """Raised for an invalid item; `rejected` says why."""

    def __init__(self, kind: str, detail: str):
        super().__init__(kind)
        self.rejected = Rejected(kind, detail)


@dataclass(frozen=True)
class Slot:
    """Where a video or an image stands in a turn, and its name; "" if the turn has none."""

    kind: Kind
    name: str = ""


@dataclass(frozen=True)
class Turns:
    """A conversation. `turns` are questions with their answers.

    slots: of the questions, in order. If they stand within the words, the questions have `SLOT`
        where they stand; otherwise they are shown first, or the item has none.
    """

    system: str
    turns: list[tuple[str, str]]
    slots: list[Slot]


def parse_turns(value: Any) -> Turns:
    """Parse a list of turns.

    Raises:
        WrongItem: it is not questions with their answers, or a text is empty.
    """
    if not isinstance(value, list) or not value:
        raise WrongItem(OTHER_FORM, f"conversations must be a list, got {shorten(value)}")
    spoken = [_turn(turn) for turn in value]
    system = ""
    if spoken[0][0] == "system":
        system = plain_text("system turn", spoken.pop(0)[1])
    _check_order([role for role, _, _ in spoken])
    questions, answers = spoken[::2], spoken[1::2]
    if len(questions) > len(answers):
        raise WrongItem("question without an answer", shorten(spoken[-1][1]))
    texts = [text for _, text, _ in questions]
    outer = _SLOTS_AROUND.sub("", texts[0])
    if not any(SLOT in text for text in (outer, *texts[1:])):
        texts[0] = outer
    turns = [
        (_asked(text), plain_text("answer", answer)) for text, (_, answer, _) in zip(texts, answers)
    ]
    return Turns(system, turns, [slot for _, _, slots in questions for slot in slots])


def plain_text(name: str, text: str) -> str:
    """A text without white space around it; WrongItem if it is empty or holds a slot."""
    text = text.strip()
    if not text:
        raise WrongItem(f"{name} is empty", "")
    if slot := _SLOT.search(text):
        raise WrongItem(f"{name} holds {slot[0]}", shorten(text))
    return text


def _asked(text: str) -> str:
    if not text.replace(SLOT, "").strip():
        raise WrongItem("question is empty", shorten(text))
    return text.strip()


def _check_order(roles: Sequence[str]) -> None:
    for number, role in enumerate(roles):
        if role == "system":
            raise WrongItem("system turn after the first turn", f"turn {number + 1}")
        if role != ("user", "assistant")[number % 2]:
            kind = "question without an answer" if role == "user" else "answer without a question"
            raise WrongItem(kind, f"turn {number + 1} of {len(roles)} is the {role}'s")
    if not roles:
        raise WrongItem("question without an answer", "there is a system turn only")


def _turn(turn: Any) -> tuple[str, str, list[Slot]]:
    """Role, text with `SLOT` for each video or image, and these."""
    fields = turn if isinstance(turn, dict) else {}
    role = fields.get("from", fields.get("role"))
    content = fields.get("value", fields.get("content"))
    if not isinstance(role, str) or not isinstance(content, str | list):
        problem = "a turn must have from and value, or role and content"
        raise WrongItem(OTHER_FORM, f"{problem}, got {shorten(turn)}")
    if role.lower() not in ROLES:
        raise WrongItem("unknown role", shorten(role))
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    text = ""
    slots: list[Slot] = []
    for part in parts:
        found = part if isinstance(part, str) else _part(part)
        if isinstance(found, Slot):
            text += SLOT
            slots.append(found)
        elif ROLES[role.lower()] != "user":
            text += found
        else:
            slots += [Slot(_kind(match[1])) for match in _SLOT.finditer(found)]
            text += _SLOT.sub(SLOT, found)
    return ROLES[role.lower()], text, slots


def _part(part: Any) -> str | Slot:
    fields = part if isinstance(part, dict) else {}
    kind = fields.get("type")
    if kind == "text" and isinstance(fields.get("text"), str):
        return fields["text"]
    if kind in ("video", "image", "video_url", "image_url"):
        named = fields.get(kind, fields.get("path", fields.get("url", "")))
        return Slot(_kind(kind.removesuffix("_url")), file_name(named) if named else "")
    raise WrongItem("unknown part of a turn", shorten(part))


def _kind(name: str) -> Kind:
    return "image" if name == "image" else "video"


def file_name(value: Any) -> str:
    """The name of a file, as a path, a file:// URL or an object with path or url.

    Raises:
        WrongItem: it is something else, or not on this machine.
    """
    if isinstance(value, dict):
        value = value.get("path", value.get("url", value.get("video", value.get("image"))))
    if not isinstance(value, str) or not value:
        raise WrongItem(OTHER_FORM, f"must be the name of a file, got {shorten(value)}")
    if value.startswith("file://"):
        return unquote(urlsplit(value).path)
    if re.match(r"[a-z][a-z0-9+.-]*://|data:", value):
        raise WrongItem("video is not a file on this machine", shorten(value))
    return value
