"""Simple string rules for generated captions, and counts of degenerate ones.

The paper post-processes captions, too, without saying how: the rules are **ours**.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from stepdiff_jax.evaluation.system import Written

_SPEAKERS = re.compile(r"^(?:answer|assistant|caption|difference|main difference)\s*:\s*", re.I)
_NEXT_TURN = re.compile(
    r"(?:\bUSER:|\bHuman:|\[INST\]|</s>|<\|im_end\|>|<end_of_utterance>).*", re.S
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_QUOTES = ('"', "'", "“”", "‘’", "`")

REPEATS = 3
"""A text in which the same four words stand this often counts as repeated (ours)."""

_WORDS = 4


def first_turn(text: str) -> str:
    """The text before a marker of a next turn, which a model without a stop token may write."""
    return _NEXT_TURN.sub("", text)


def without_speaker(text: str) -> str:
    """The text without "Answer:" or another such word before it."""
    return _SPEAKERS.sub("", text.lstrip())


def single_spaces(text: str) -> str:
    """The text on one line, words apart by single spaces."""
    return " ".join(text.split())


def without_quotes(text: str) -> str:
    """The text without a pair of quotation marks around the whole of it."""
    for marks in _QUOTES:
        first, last = marks[0], marks[-1]
        inner = text[1:-1]
        if len(text) > 1 and text[0] == first and text[-1] == last and not set(inner) & set(marks):
            return inner.strip()
    return text


def without_repeated_sentences(text: str) -> str:
    """Each sentence once, where it stands first."""
    return " ".join(dict.fromkeys(_SENTENCE.split(text)))


RULES: tuple[Callable[[str], str], ...] = (
    first_turn,
    without_speaker,
    single_spaces,
    without_quotes,
    without_repeated_sentences,
)
"""Applied in this order."""


def post_process(written: Written) -> str:
    """A caption as it is scored.

    Of an answer that the limit of tokens cut off, whole sentences are kept if there is one.
    """
    text = written.text
    for rule in RULES:
        text = rule(text)
    if written.cut:
        *whole, last = _SENTENCE.split(text)
        if whole and not last.endswith((".", "!", "?")):
            text = " ".join(whole)
    return text


def degenerate(written: Sequence[Written]) -> dict[str, int]:
    """How many answers, before post-processing, are empty, repeat themselves or were cut off."""
    return {
        "empty": sum(not one.text.strip() for one in written),
        "repeated": sum(_repeats(one.text) for one in written),
        "cut": sum(one.cut for one in written),
    }


def _repeats(text: str) -> bool:
    words = text.lower().split()
    runs = Counter(tuple(words[start : start + _WORDS]) for start in range(len(words) - _WORDS + 1))
    return max(runs.values(), default=0) >= REPEATS
