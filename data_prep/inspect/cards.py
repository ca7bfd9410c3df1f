"""A card for each sampled pair: frames, narration, descriptions, questions, what was removed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from data_prep.inspect.frames import Frames
from data_prep.stage import Row
from stepdiff_jax.report.page import Html, element, join, jpeg

SIDES = ("reference", "candidate")
NOTHING = "none"


def card(
    number: int,
    pair: Row,
    clips: Mapping[str, Row],
    descriptions: Mapping[str, Row],
    frames: Mapping[str, Frames],
) -> Html:
    """A pair; what a stage did not leave is said to be missing."""
    texts = {side: _description(pair, side, descriptions) for side in SIDES}
    kept, removed = pair.get("questions") or [], pair.get("removed") or []
    columns = []
    for side, other in zip(SIDES, reversed(SIDES)):
        clip = clips.get(pair[side], {})
        seen = descriptions.get(pair[side], {})
        entries = [
            *_entry("narration", clip.get("narration") or NOTHING),
            *_entry("description", _contrast(texts[side], texts[other]) or "not described"),
            *_seen(seen),
        ]
        figure = _figure(side, pair[side], clip, frames.get(pair[side], Frames()))
        columns.append(element("div", figure, element("dl", *entries)))
    asked = [_question(item) for item in kept] + [_question(item) for item in removed]
    nothing = element("p", "No questions yet.", class_="quiet")
    return element(
        "article",
        _heading(number, pair, clips, len(kept), len(removed)),
        *columns,
        element("ol", *asked, class_="questions") if asked else nothing,
        _raw(pair),
        class_="card",
    )


def _heading(number: int, pair: Row, clips: Mapping[str, Row], kept: int, removed: int) -> Html:
    clip = clips.get(pair["reference"], {})
    title = str(pair.get("keystep") or clip.get("keystep") or "pair")
    facts = [str(clip.get("activity") or ""), str(pair.get("split") or "")]
    if "similarity" in pair:
        facts.append(f"similarity {pair['similarity']}")
    if removed:
        verdict = element("span", f"{removed} of {kept + removed} removed", class_="chip bad")
    else:
        verdict = element("span", "nothing removed", class_="chip good")
    return element(
        "header",
        element("h3", f"{number}. {title}", " ", verdict),
        element("p", " · ".join(filter(None, facts)), class_="note quiet"),
    )


def _figure(side: str, name: str, clip: Row, frames: Frames) -> Html:
    facts = f" · {name}"
    if "start" in clip and "end" in clip:
        length = float(clip["end"]) - float(clip["start"])
        facts = f" · {clip.get('video', '')}, {clip['start']} to {clip['end']} s ({length:.1f} s)"
    caption = element("figcaption", element("b", side), facts)
    if not frames.images:
        problem = frames.problem or "clips.jsonl does not have this clip"
        return element("figure", caption, element("p", f"No frames: {problem}", class_="missing"))
    images = [
        element("span", jpeg(data, f"{side}, frame {place}"), element("small", f"{time:.1f}"))
        for place, (data, time) in enumerate(zip(frames.images, frames.times), start=1)
    ]
    return element("figure", caption, element("div", *images, class_="frames timed"))


def _description(pair: Row, side: str, descriptions: Mapping[str, Row]) -> str:
    own = pair.get(f"{side}_description")
    return str(own or descriptions.get(pair[side], {}).get("description") or "")


def _contrast(text: str, other: str) -> Html:
    """The text, with the words that the other one lacks in bold."""
    words = set(re.findall(r"\w+", other.lower()))
    pieces = [
        element("b", piece) if re.fullmatch(r"\w+", piece) and piece.lower() not in words else piece
        for piece in re.split(r"(\w+)", text)
    ]
    return join(*pieces)


def _seen(row: Row) -> Iterator[Html]:
    """Actions and objects; those that a score kept out are struck through."""
    dropped = row.get("dropped") or {}
    for kind in ("actions", "objects"):
        kept = [str(phrase) for phrase in row.get(kind) or ()]
        out = [
            join(element("del", str(phrase)), element("small", f" {score:.2f}"))
            for phrase, score in (dropped.get(kind) or {}).items()
        ]
        phrases = [part for phrase in [*kept, *out] for part in (", ", phrase)][1:]
        if phrases:
            yield from _entry(kind, join(*phrases))


def _entry(name: str, value: str) -> tuple[Html, Html]:
    return element("dt", name), element("dd", value)


def _question(item: Mapping[str, Any]) -> Html:
    asked, answer = str(item.get("question", "")), str(item.get("answer", ""))
    rules = item.get("rules")
    if not rules:
        return element("li", element("div", asked, class_="asked"), element("div", answer))
    named = rules.items() if isinstance(rules, dict) else ((rule, "") for rule in rules)
    reasons = [
        element("span", element("b", str(rule)), f": {why}" if why else "", class_="chip bad")
        for rule, why in named
    ]
    return element(
        "li",
        element("div", element("del", asked), class_="asked"),
        element("div", element("del", answer)),
        element("div", *reasons, class_="rules"),
        class_="removed",
    )


def _raw(pair: Row) -> Html:
    if not pair.get("raw"):
        return Html("")
    title = element("summary", "What the language model wrote")
    return element("details", title, element("pre", str(pair["raw"])))
