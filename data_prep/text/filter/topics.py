"""Checks claims like "the same tool" or "no difference in tools" against words by topic; ours.

Without word lists, the filter cannot know which words of a description are tools. With them (for
example from a taxonomy), claims that something is the same or different are checked.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.text.filter.words import stem, tokens
from stepdiff_jax.errors import InputError
from stepdiff_jax.json_files import read_object
from stepdiff_jax.jsonl import shorten

_END = r"(?![\w/])"
_SAME = r"\b{topic} (?:is |are )?(?:the )?(?:same|identical)\b"
_DIFFERENT = r"\b{topic} (?:is |are )?different\b"
_NO_DIFFERENCE = r"\bno (?:main )?difference in (?:the )?{topic}"
_ASKS_SAME = r"\bthe same {topic}"


def read_topics(path: Path) -> dict[str, list[str]]:
    """The words by topic in a JSON file.

    Raises:
        InputError: the file is not an object of topics, each with a list of words.
    """
    topics = read_object(path)
    for topic, group in topics.items():
        if not topic.strip():
            raise InputError(f"{path}: a topic must have a name, got {topic!r}")
        if not isinstance(group, list) or not all(isinstance(word, str) for word in group):
            raise InputError(
                f"{path}: field {topic!r} must be a list of words, got {shorten(group)}"
            )
    return topics


class Topics:
    """Maps each topic to the stems of its words."""

    def __init__(self, words: Mapping[str, Sequence[str]]):
        self.stems = {
            topic.lower(): frozenset(stem(token) for word in group for token in tokens(word))
            for topic, group in words.items()
        }

    def differs(self, topic: str, first: str, second: str) -> bool | None:
        """Whether two texts name different things of a topic; None if either names none."""
        known = self.stems[topic]
        named = [known & {stem(token) for token in tokens(text)} for text in (first, second)]
        return named[0] != named[1] if all(named) else None


def topic_error(topics: Topics, question: str, answer: str, first: str, second: str) -> str:
    """The claim of a question and answer that the two descriptions contradict, or ""."""
    for topic in topics.stems:
        differs = topics.differs(topic, first, second)
        if differs is None:
            continue
        # "ingredients" may be a separate topic from "ingredient".
        plural = "" if f"{topic}s" in topics.stems else "(?:es|s)?"
        name = re.escape(topic) + plural + _END
        claim = _claim(name, question.lower(), answer.lower())
        if claim is not None and claim != differs:
            return f"{topic} {'different' if claim else 'same'}"
    return ""


def _claim(name: str, question: str, answer: str) -> bool | None:
    """Whether a topic (its name as a pattern) is claimed to differ; None if nothing is claimed."""

    def says(pattern: str, text: str) -> bool:
        return bool(re.search(pattern.format(topic=name), text))

    if says(_SAME, answer) or says(_NO_DIFFERENCE, answer):
        return False
    if says(_DIFFERENT, answer):
        return True
    if says(_ASKS_SAME, question) and re.match(r"(?:yes|no)\b", answer):
        return answer.startswith("no")
    return None
