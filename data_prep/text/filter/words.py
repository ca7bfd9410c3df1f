"""Content words of a sentence, as stems so that "chopped" and "chopping" match.

Deliberately small: without a tagger or dictionary, every decision of the filter can be traced to a
list in this file. All of it is ours.
"""

import functools
import re
from collections.abc import Iterator

_FUNCTION = """
a about above across after again against all almost along already also although always am among an
and another any anybody anyone anything are aren as at away back be became because become been
before behind being below beneath beside besides between beyond both but by can cannot could did do
does doing done down during each either else enough especially etc even ever every everything few
finally first firstly for from further furthermore had has have having he her here hers herself him
himself his how however i if in indeed instead into is it its itself just kind last lastly later
least less let lot made mainly make makes making many may maybe me mean meanwhile might more
moreover most mostly much must my near nearly neither never next no none nor not nothing now of off
often on once one ones only onto opposed or other others otherwise our out over overall own part per
perhaps quite rather really same second secondly several shall she should since so some somebody
someone something sometimes still such than that the their them themselves then there therefore
these they thing things third this those though through throughout thus to together too toward
towards two under unlike until up upon us use used uses using usually very via was way we well were
what whatever when where whereas whether which while who whole whom whose why will with within
without would yes yet you your yourself don doesn didn isn wasn hasn haven
"""

_COMPARISON = """
alike altogether amount answer approach aspect case category characteristic clip common compare
comparing comparison contrast contrary demonstrate detail differ difference different differently
difference distinct distinguish equal equally example fact feature focus form general identical
illustrate include involve key kind main manner method notable order pair perform person people
video videos versus presenter previous process present question rate respectively result same score
show shown similar similarity similarly side specific specifically step style summarize summary
task technique thing true type unique value vary varying version way cook chef individual
demonstration summarise
"""

_VERBS = """
add appear apply begin bring carry change choose come complete consist contain continue create
describe employ end feature find finish follow get give go happen have help hold keep lead leave
look opt perform place prefer prepare proceed put require see seem start take tend try turn utilize
want work
"""

_TOPICS = """
action color colour equipment ingredient item look material object presentation quantity serving
shape size speed texture time tool utensil visual visually
"""

_NUMBERS = frozenset({"one", "two", "three", "four", "five", "six", "seven", "eight", "nine"})
_NUMBERS |= {"ten", "half", "single", "double", "both"}
_VOWELS = frozenset("aeiouy")
_ENDINGS = ("ing", "ed", "es", "s")


@functools.lru_cache(1 << 14)
def stem(word: str) -> str:
    """A word without plural, participle or past endings, so that "slicing" and "slices" match."""
    for ending in _ENDINGS:
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and _VOWELS & set(root) and not root.endswith("ss"):
            word = root
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    if len(word) > 3 and word.endswith("i"):
        return word[:-1] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def tokens(text: str) -> list[str]:
    """The words and numbers of a text, in lower case."""
    return re.findall(r"[^\W_]+", text.lower().replace("'s", ""))


_STOP = frozenset(_FUNCTION.split())
GENERAL = frozenset(stem(word) for word in f"{_COMPARISON} {_VERBS} {_TOPICS}".split())
"""Stems for talking about videos in general, which name nothing that must be seen."""


@functools.lru_cache(1 << 10)
def content(text: str) -> frozenset[str]:
    """Stems of the words that name something visible; includes numbers, as they may differ."""
    return frozenset(_content(text))


def _content(text: str) -> Iterator[str]:
    for word in tokens(text):
        if word in _NUMBERS or word.isdigit():
            yield word
        elif len(word) > 2 and word not in _STOP and stem(word) not in GENERAL:
            yield stem(word)


def is_number(word: str) -> bool:
    """Whether a word of `content` is a number."""
    return word in _NUMBERS or word.isdigit()
