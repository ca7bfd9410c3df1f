"""The filter's rules, each a pure function; all of them ours (the paper gives none)."""

import re

from data_prep.text.filter.asked import Asked, Thresholds
from data_prep.text.filter.claims import (
    BOTH,
    CANDIDATE,
    REFERENCE,
    claims,
    contrasts,
    listed,
    sides,
)
from data_prep.text.filter.topics import Topics, topic_error
from data_prep.text.filter.words import GENERAL, content, is_number, stem, tokens

_META = re.compile(
    r"\b(?:descriptions?|transcripts?|transcriptions?|narrations?|captions?|subtitles?"
    r"|(?:provided|given) (?:text|information|context)|according to the text"
    r"|(?:speech|asr) text)\b",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"\b(?:(?:not|n't|never)(?: \w+)? (?:mention\w*|specif\w*|stat\w+|describ\w+"
    r"|provided|given|clear|visible|shown|indicat\w+|explicit\w*)"
    r"|no (?:mention|information|indication|details?)"
    r"|unclear|unspecified|unknown|cannot (?:be )?(?:determined?|tell|say|know\w*)"
    r"|(?:don't|do not) know|not possible to|impossible to|not applicable|n/a)",
    re.IGNORECASE,
)
_COMPARING = re.compile(
    r"\b(?:differ\w*|distinguish\w*|compar\w+|contrast\w*|same|similar\w*|alike|identical\w*"
    r"|both(?! hands)"
    r"|two (?:videos|clips)|(?:these|the) videos|each|between|than|unlike|whereas|which video"
    r"|whichever|in common|more|less|fewer|most|least)\b",
    re.IGNORECASE,
)
_VERDICT = re.compile(r"\s*(?:yes|no)\b", re.IGNORECASE)
_OPEN_END = frozenset({"a", "an", "the", "and", "or", "with", "of", "to", "in", "on", "at", "by"})
_OPEN_END |= {"for", "from", "than", "instead", "while", "whereas", "but", "rather", "as"}


def mentions_description(asked: Asked, _: Thresholds) -> str:
    """Mentions "the description" or "the transcript", which a viewer does not have."""
    return _found(_META, asked.question, asked.answer)


def not_mentioned(asked: Asked, _: Thresholds) -> str:
    """Says that something is not mentioned, unclear or unknown."""
    return _found(_MISSING, asked.question, asked.answer)


def one_video(asked: Asked, _: Thresholds) -> str:
    """Can be answered from one video: neither the question nor the answer compares."""
    question, answer = asked.question, asked.answer
    first, second = asked.exclusive
    said = content(answer)
    compares = (
        _COMPARING.search(answer)
        or contrasts(answer)
        or {REFERENCE, CANDIDATE} <= sides(answer)
        or (said & first and said & second)
    )
    asks = _COMPARING.search(question) or {REFERENCE, CANDIDATE} <= sides(question)
    short = _VERDICT.match(answer) or sides(answer) or _rates(answer)
    return "" if compares or (asks and short) else answer


def found_nowhere(asked: Asked, thresholds: Thresholds) -> str:
    """Mentions things that appear in neither description."""
    known = content(asked.reference) | content(asked.candidate)
    known |= GENERAL.union(*(map(stem, tokens(word)) for word in thresholds.known_words))
    said = content(asked.question) | content(asked.answer)
    # YES and NO, which the ranking question asks for, are not things.
    unknown = sorted(word for word in said - known if not is_number(word) and word != "yes")
    return ", ".join(unknown) if len(unknown) > thresholds.unknown_words else ""


def contradicts_description(asked: Asked, thresholds: Thresholds) -> str:
    """Attributes to a video what only the other's description has, or denies what its own has."""
    exclusive = asked.exclusive
    wrong: set[str] = set()
    for claim in claims(asked.answer):
        if claim.side == BOTH:
            wrong |= claim.words & (exclusive[0] | exclusive[1]) if not claim.denied else set()
        elif not claim.denied:
            wrong |= claim.words & exclusive[1 - claim.side]
        elif not claim.words & exclusive[1 - claim.side]:
            wrong |= claim.words & exclusive[claim.side]
    for first, second in listed(asked.answer):
        wrong |= {first} & exclusive[1] | {second} & exclusive[0]
    texts = asked.question, asked.answer, asked.reference, asked.candidate
    return ", ".join(sorted(wrong)) or topic_error(Topics(thresholds.topics), *texts)


def wrong_order(asked: Asked, _: Thresholds) -> str:
    """Swaps the videos: more words are attributed to the wrong video than to the correct one."""
    exclusive = asked.exclusive
    said: tuple[set[str], set[str]] = (set(), set())
    for claim in claims(asked.answer):
        if claim.side != BOTH and not claim.denied:
            said[claim.side].update(claim.words)
    for pair in listed(asked.answer):
        for side in (REFERENCE, CANDIDATE):
            said[side].add(pair[side])
    wrong = [said[side] & exclusive[1 - side] for side in (REFERENCE, CANDIDATE)]
    correct = [said[side] & exclusive[side] for side in (REFERENCE, CANDIDATE)]
    swapped = len(wrong[0]) + len(wrong[1]) > len(correct[0]) + len(correct[1])
    return ", ".join(sorted(wrong[0] | wrong[1])) if swapped and all(wrong) else ""


def duplicate(asked: Asked, thresholds: Thresholds) -> str:
    """Repeats an earlier question of the pair."""
    own = _asked_words(asked.question, asked.answer)
    for question, answer in asked.earlier:
        other = _asked_words(question, answer)
        if len(own & other) >= thresholds.duplicate_overlap * len(own | other):
            return question
    return ""


def length(asked: Asked, thresholds: Thresholds) -> str:
    """Is too short, too long, or truncated mid-sentence."""
    question, answer = tokens(asked.question), tokens(asked.answer)
    least, most = thresholds.answer_words
    if _VERDICT.match(asked.answer) or sides(asked.answer):
        least = 1
    shortest, longest = thresholds.question_words
    if not shortest <= len(question) <= longest:
        return f"{len(question)} words of question"
    if not least <= len(answer) <= most:
        return f"{len(answer)} words of answer"
    if answer[-1] in _OPEN_END or asked.answer.rstrip().endswith((",", ":")):
        return f"ends with {answer[-1]}"
    return ""


def _found(pattern: re.Pattern[str], *texts: str) -> str:
    return next((match[0] for text in texts if (match := pattern.search(text))), "")


def _rates(answer: str) -> bool:
    """Whether every part ends with a number: "4 out of 5", "tools 2, actions 5"."""
    return all(re.search(r"\d\W*$", part) for part in re.split("[,;]", answer))


def _asked_words(question: str, answer: str) -> frozenset[str]:
    """Words of question and answer, kept apart: "YES" to two questions is not a duplicate."""
    return frozenset({f"? {word}" for word in tokens(question)} | set(tokens(answer)))
