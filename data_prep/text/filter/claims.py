"""Parses what an answer says about which video; ours.

A clause refers to the video that it names ("the first video", "video 2"). If no video is named but
two things are contrasted, what precedes "instead of" is the candidate's, as in the benchmark's
captions (section 4). Without any video, "spoon and whisk" is read respectively.
"""

import re
from typing import NamedTuple

from data_prep.text.filter.words import content, is_number, stem, tokens

REFERENCE, CANDIDATE, BOTH = 0, 1, 2

_SHOWN = r"(?:videos?|clips?|ones?|person|people|cook|chef|presenter|demonstration|version)"
_AFTER = r"(?=\s*(?:[,.;:?]|$|and\b|while\b|whereas\b|but\b|uses?\b|shows?\b|is\b|has\b|adds?\b))"


def _ordinal(words: str, number: str) -> str:
    return (
        rf"(?:the )?(?:{words}) {_SHOWN}\b|\b(?:video|clip) (?:{number})\b"
        rf"|\bthe (?:{words})\b{_AFTER}"
    )


_MARKS = (
    (rf"\bboth (?:of )?(?:the |these |two )*{_SHOWN}\b", " <2> "),
    (r"\bboth the first and (?:the )?second\b(?: videos?| clips?)?", " <2> "),
    (r"\bboth(?= (?:use|show|are|have|add|do|involve|feature|contain|include)\b)", " <2> "),
    (r"\b(?:the|these|those) two " + _SHOWN, " "),
    (_ordinal("first|1st|reference|former", "1|one"), " <0> "),
    (_ordinal("second|2nd|candidate|latter", "2|two"), " <1> "),
    (r"\bthe other\b(?: " + _SHOWN + ")?", " <o> "),
    (r"\b(?:instead of|as opposed to|opposed to|rather than|compared (?:to|with)|unlike)\b", "<x>"),
    (r"\b(?:while|whereas|but|however)\b|[.;](?!\d)", "<s>"),
    (r",|:", "<c>"),
    (r"\band\b(?=(?: in| that)?\s*(?:<[012o]>|(?:the )?(?:first|second)))", "<s>"),
)
_NEGATION = re.compile(r"\b(?:not|no|never|without|lacks?|absent|neither)\b|n't\b")


class Claim(NamedTuple):
    """Content stems that an answer attributes to one video or both, or denies."""

    side: int
    words: frozenset[str]
    denied: bool


def marked(text: str) -> str:
    """The text with mentions of videos, contrasts and clause ends replaced by marks.

    <0> the reference, <1> the candidate, <2> both, <o> the other; <x> a contrast; <s> the end of a
    clause, <c> a comma.
    """
    text = text.lower()
    for pattern, mark in _MARKS:
        text = re.sub(pattern, mark, text)
    return text


def sides(text: str) -> frozenset[int]:
    """The videos that a text mentions."""
    return frozenset(int(mark) for mark in re.findall(r"<([012])>", marked(text)))


def contrasts(text: str) -> bool:
    """Whether two things are contrasted ("instead of", "rather than", ...)."""
    return "<x>" in marked(text)


def claims(answer: str) -> list[Claim]:
    """What each clause says about a video; clauses without a clear video are left out."""
    text = marked(answer)
    named = bool(re.search(r"<[012]>", text))
    side = None if named or "<x>" not in text else CANDIDATE
    found = []
    break_mark = ""
    for part in re.split(r"(<[xsc]>)", text):
        if re.fullmatch(r"<[xsc]>", part):
            break_mark = part
            continue
        own = set(re.findall(r"<([012])>", part))
        if len(own) > 1:
            side = None
        elif own:
            side = int(own.pop())
        elif "<o>" in part or break_mark == "<x>":
            side = 1 - side if side in (REFERENCE, CANDIDATE) else None
        elif break_mark == "<s>":
            side = None
        said = content(re.sub(r"<.>", " ", part))
        if side is not None and said:
            found.append(Claim(side, said, bool(_NEGATION.search(part))))
    return found


def listed(answer: str) -> list[tuple[str, str]]:
    """Pairs of stems as in "spoon and whisk", in an answer that names no video."""
    text = marked(answer)
    if re.search(r"<[012ox]>", text):
        return []
    pairs = []
    for part in re.split(r"<[sc]>", text):
        for first, second in re.findall(r"([^\W_]+) and ([^\W_]+)", part):
            if content(first) and content(second):
                pairs.append((_form(first), _form(second)))
    return pairs


def _form(word: str) -> str:
    (token,) = tokens(word)
    return token if is_number(token) else stem(token)
