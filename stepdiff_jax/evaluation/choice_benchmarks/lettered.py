"""Options as benchmarks publish them: with letters or without, or all in one string."""

import re
from string import ascii_uppercase
from typing import NamedTuple

from stepdiff_jax.evaluation.choice_benchmarks.items import JsonItem

_LABEL = r"\(?{}\s*[.:)]\s*"
_LETTER = re.compile(r"\(?([A-Z])\s*[.:)]\s*(?=\S)")


class Options(NamedTuple):
    """Texts without letters, and the index of the correct one."""

    texts: tuple[str, ...]
    answer: int


def read_options(item: JsonItem, options: str = "options", answer: str = "answer") -> Options:
    """The options of a question and its answer, a letter or an option's text.

    Letters are taken off the options; an answer that is a text may differ from the option in
    capitals, and in a full stop or white space at its end.

    Raises:
        InputError: there are fewer than two options, as far as can be told; two are the same; only
            some have letters; or the answer is not one of them, or of two with one letter.
    """
    written = [text.strip() for text in item.strings(options)]
    if len(written) == 1:
        written = _split(written[0])
    if not 2 <= len(written) <= len(ascii_uppercase):
        item.fail(options, "must hold at least two options", item.get(options))
    letters, texts = _letters(item, options, written)
    plain = [_plain(text) for text in texts]
    if len(set(plain)) < len(plain):
        item.fail(options, "must hold options that differ", item.get(options))
    wanted = item.text(answer)
    # A letter that is not the place's own is a slip of the file, and says nothing.
    places = [
        place
        for place, letter in enumerate(letters)
        if letter == wanted == ascii_uppercase[place] and letters.count(letter) == 1
    ]
    if not places and _plain(wanted) in plain:
        places = [plain.index(_plain(wanted))]
    if not places:
        item.fail(answer, f"must be one of the {len(texts)} options or its letter", wanted)
    return Options(tuple(texts), places[0])


def _split(text: str) -> list[str]:
    """ "A. one, B. two" as ["A. one", "B. two"]; the text alone if it holds no such letters."""
    starts: list[int] = []
    for letter in ascii_uppercase:
        start = starts[-1] if starts else 0
        found = re.compile(rf"(?:^|(?<=[\s,;])){_LABEL.format(letter)}").search(text, start)
        if found is None or (not starts and found.start()):
            break
        starts.append(found.start())
    ends = [*starts[1:], len(text)]
    return [text[start:end].strip().rstrip(",;") for start, end in zip(starts, ends)] or [text]


def _letters(item: JsonItem, field: str, options: list[str]) -> tuple[list[str], list[str]]:
    """The letters of the options, those of their places if they have none; and their texts."""
    own = ascii_uppercase[: len(options)]
    found = [_LETTER.match(option) for option in options]
    found = [match if match and match[1] in own else None for match in found]  # not "U.S."
    if not any(found):
        return list(own), options
    if not all(found):
        item.fail(field, "must all have letters, or none", options)
    matches = [match for match in found if match]
    texts = [option[match.end() :] for option, match in zip(options, matches)]
    return [match[1] for match in matches], texts


def _plain(text: str) -> str:
    return text.strip().removesuffix(".").casefold()
