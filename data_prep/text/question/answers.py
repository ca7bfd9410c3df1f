"""Parses questions and answers from a language model's text; ours."""

import json
import re
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.surrogates import without_surrogates

_LIST = r"(?:\*\*|[-*#]+\s*)?"
_NUMBER = r"(?:pair\s*)?(?:\(?\d+\s*[.):]\s*)?"
_QUESTION = re.compile(
    rf"^\s*{_LIST}{_NUMBER}{_LIST}(?:question|q)\s*\d*\s*[.):\-]+\**\s*(.*)$", re.IGNORECASE
)
_ANSWER = re.compile(
    rf"^\s*{_LIST}{_NUMBER}{_LIST}(?:answer|a)\s*\d*\s*[.):\-]+\**\s*(.*)$", re.IGNORECASE
)
_INLINE_ANSWER = re.compile(r"\s+\**(?:answer|a)\s*\d*\s*:\**\s*", re.IGNORECASE)
_NUMBERED = re.compile(rf"^\s*{_LIST}\(?\d+\s*[.)]\s*(.+)$")
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


def parse_questions(text: str, count: int) -> list[tuple[str, str]]:
    """Parse the first `count` pairs (question, answer) in a model's text.

    Accepts JSON (a list of objects, or an object with one, bare or fenced), lines that start with
    Q: and A: (or Question 1:, **Answer:** ...), and numbered questions with their answers after
    the question mark or on the following lines.

    Raises:
        InputError: there are fewer than `count` pairs, or a question or answer is empty.
    """
    pairs = _json_pairs(text) or _labelled_pairs(text) or _numbered_pairs(text)
    if len(pairs) < count:
        raise InputError(f"{count} question-answer pairs are needed, {len(pairs)} were found")
    for number, (question, answer) in enumerate(pairs[:count], start=1):
        if not question or not answer:
            side = "answer" if question else "question"
            raise InputError(f"pair {number} has an empty {side}")
    return pairs[:count]


def _json_pairs(text: str) -> list[tuple[str, str]]:
    fenced = _FENCE.search(text)
    body = fenced[1] if fenced else text
    starts = [index for index in (body.find("["), body.find("{")) if index >= 0]
    for start in sorted(starts):
        try:
            value, _ = json.JSONDecoder().raw_decode(body[start:])
        except (ValueError, RecursionError):
            continue
        if pairs := _pairs_of(value):
            return pairs
    return []


def _pairs_of(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if lists else []
    pairs = []
    for item in value if isinstance(value, list) else []:
        fields = {str(k).lower(): v for k, v in item.items()} if isinstance(item, dict) else {}
        question = fields.get("question", fields.get("q"))
        answer = fields.get("answer", fields.get("a"))
        if isinstance(question, str) and isinstance(answer, str):
            pairs.append((_clean(question), _clean(answer)))
    return pairs


def _labelled_pairs(text: str) -> list[tuple[str, str]]:
    pairs: list[list[list[str]]] = []
    side: list[str] | None = None
    for line in text.splitlines():
        if match := _QUESTION.match(line):
            question, *answer = _INLINE_ANSWER.split(match[1], maxsplit=1)
            pairs.append([[question], answer])
            side = pairs[-1][1] if answer else pairs[-1][0]
        elif pairs and (match := _ANSWER.match(line)):
            side = pairs[-1][1]
            side.append(match[1])
        elif not line.strip():
            # Text after an answer and an empty line is a remark of the model.
            side = None if pairs and side is pairs[-1][1] and any(side) else side
        elif side is not None:
            side.append(line)
    return [(_clean(" ".join(question)), _clean(" ".join(answer))) for question, answer in pairs]


def _numbered_pairs(text: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for line in text.splitlines():
        if match := _NUMBERED.match(line):
            question, mark, answer = match[1].partition("?")
            pairs.append((_clean(question + mark), _clean(answer)))
        elif pairs and line.strip():
            question, answer = pairs[-1]
            pairs[-1] = (question, _clean(f"{answer} {line}"))
    return [(question, answer.lstrip("-:) ")) for question, answer in pairs if "?" in question]


def _clean(text: str) -> str:
    # JSON in the text may have escapes of halves of characters.
    return re.sub(r"\s+", " ", without_surrogates(text)).strip().strip("*").strip()
