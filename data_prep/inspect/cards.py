"""A card per sampled pair: frames, narration, descriptions, and kept and removed questions."""

import re
from collections.abc import Iterator, Mapping

from msgspec import UNSET

from data_prep.inspect.clip_frames import Frames
from data_prep.schema.pages import ShownClip, ShownDescription, ShownPair, ShownQuestion
from stepdiff_jax.report.page import Html, element, join, jpeg

NOTHING = "none"


def card(
    number: int,
    pair: ShownPair,
    clips: Mapping[str, ShownClip],
    descriptions: Mapping[str, ShownDescription],
    frames: Mapping[str, Frames],
) -> Html:
    """Card of a pair; output that a stage did not produce is marked as missing."""
    sides = pair.clips()
    texts = {
        name: pair.description(name) or _seen_of(descriptions, name).description or ""
        for name in sides.values()
    }
    kept, removed = pair.questions or [], pair.removed or []
    columns = []
    for (side, name), other in zip(sides.items(), reversed(sides.values())):
        clip = clips.get(name, ShownClip())
        entries = [
            *_entry("narration", clip.narration or NOTHING),
            *_entry("description", _contrast(texts[name], texts[other]) or "not described"),
            *_seen(_seen_of(descriptions, name)),
        ]
        figure = _figure(side, name, clip, frames.get(name, Frames()))
        columns.append(element("div", figure, element("dl", *entries)))
    asked = [_question(item) for item in kept] + [_question(item) for item in removed]
    nothing = element("p", "No questions yet.", class_="quiet")
    return element(
        "article",
        _heading(number, pair, clips.get(pair.reference, ShownClip())),
        *columns,
        element("ol", *asked, class_="questions") if asked else nothing,
        _raw(pair),
        class_="card",
    )


def _seen_of(descriptions: Mapping[str, ShownDescription], clip: str) -> ShownDescription:
    return descriptions.get(clip, ShownDescription())


def _heading(number: int, pair: ShownPair, clip: ShownClip) -> Html:
    title = pair.keystep or clip.keystep or "pair"
    facts = [clip.activity or "", pair.split or ""]
    if pair.similarity is not UNSET:
        facts.append(f"similarity {pair.similarity}")
    removed = len(pair.removed or ())
    asked = removed + len(pair.questions or ())
    if removed:
        verdict = element("span", f"{removed} of {asked} removed", class_="chip bad")
    else:
        verdict = element("span", "nothing removed", class_="chip good")
    return element(
        "header",
        element("h3", f"{number}. {title}", " ", verdict),
        element("p", " · ".join(filter(None, facts)), class_="note quiet"),
    )


def _figure(side: str, name: str, clip: ShownClip, frames: Frames) -> Html:
    facts = f" · {name}"
    if clip.start is not None and clip.end is not None:
        length = clip.end - clip.start
        facts = f" · {clip.video or ''}, {clip.start} to {clip.end} s ({length:.1f} s)"
    caption = element("figcaption", element("b", side), facts)
    if not frames.images:
        problem = frames.problem or "clips.jsonl does not have this clip"
        return element("figure", caption, element("p", f"No frames: {problem}", class_="missing"))
    images = [
        element("span", jpeg(data, f"{side}, frame {number}"), element("small", f"{time:.1f}"))
        for number, (data, time) in enumerate(zip(frames.images, frames.times), start=1)
    ]
    return element("figure", caption, element("div", *images, class_="frames timed"))


def _contrast(text: str, other: str) -> Html:
    """The text, with words that do not occur in the other one in bold."""
    words = set(re.findall(r"\w+", other.lower()))
    pieces = [
        element("b", piece) if re.fullmatch(r"\w+", piece) and piece.lower() not in words else piece
        for piece in re.split(r"(\w+)", text)
    ]
    return join(*pieces)


def _seen(found: ShownDescription) -> Iterator[Html]:
    """Actions and objects; those dropped by their score are struck through."""
    dropped = found.dropped
    for kind, kept, out in (
        ("actions", found.actions, dropped.actions if dropped else {}),
        ("objects", found.objects, dropped.objects if dropped else {}),
    ):
        struck = [
            join(element("del", phrase), element("small", f" {score:.2f}"))
            for phrase, score in out.items()
        ]
        phrases = [part for phrase in [*(kept or ()), *struck] for part in (", ", phrase)][1:]
        if phrases:
            yield from _entry(kind, join(*phrases))


def _entry(name: str, value: str) -> tuple[Html, Html]:
    return element("dt", name), element("dd", value)


def _question(item: ShownQuestion) -> Html:
    asked, answer = item.question, item.answer
    if not item.rules:
        return element("li", element("div", asked, class_="asked"), element("div", answer))
    reasons = [
        element("span", element("b", rule), f": {why}" if why else "", class_="chip bad")
        for rule, why in item.objections()
    ]
    return element(
        "li",
        element("div", element("del", asked), class_="asked"),
        element("div", element("del", answer)),
        element("div", *reasons, class_="rules"),
        class_="removed",
    )


def _raw(pair: ShownPair) -> Html:
    if not pair.raw:
        return Html("")
    title = element("summary", "What the language model wrote")
    return element("details", title, element("pre", pair.raw))
