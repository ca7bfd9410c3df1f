r"""Halves of characters in text: JSON allows "\ud83d" alone, which no UTF-8 file can hold.

A language model's answer that was cut at its token limit ends in one if its server writes an emoji
as two escapes. Each is replaced by U+FFFD, the replacement character.
"""

import re
from typing import Any

REPLACEMENT = "\ufffd"
FILE_FIELDS = frozenset({"video", "videos", "file", "image", "images"})
"""JSON fields that hold file names. In these, U+DC80 to U+DCFF are kept: they stand for the bytes
of a name that is not UTF-8 (`os.fsdecode`)."""

_HALF = re.compile("[\ud800-\udfff]")
_HALF_IN_NAME = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each surrogate."""
    return text if text.isascii() else _HALF.sub(REPLACEMENT, text)


def may_hold_surrogates(text: str) -> bool:
    """Whether a JSON text has an escape of a surrogate, paired or not."""
    return bool(_ESCAPED_HALF.search(text))


def json_without_surrogates(value: Any, field: str = "") -> Any:
    """A JSON value with U+FFFD for each surrogate in its strings and keys, see `FILE_FIELDS`.

    Raises:
        RecursionError: the value is nested too deeply.
    """
    if isinstance(value, str):
        pattern = _HALF_IN_NAME if field in FILE_FIELDS else _HALF
        return pattern.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [json_without_surrogates(item, field) for item in value]
    if isinstance(value, dict):
        return {
            without_surrogates(name): json_without_surrogates(item, name)
            for name, item in value.items()
        }
    return value
