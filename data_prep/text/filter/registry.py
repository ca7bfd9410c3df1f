"""The rules by name, and their objections to a question."""

from collections.abc import Sequence

from data_prep.text.filter.asked import Asked, Rule, Thresholds
from data_prep.text.filter.rules import (
    contradicts_description,
    duplicate,
    found_nowhere,
    length,
    mentions_description,
    not_mentioned,
    one_video,
    wrong_order,
)

RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        length,
        mentions_description,
        not_mentioned,
        one_video,
        duplicate,
        found_nowhere,
        wrong_order,
        contradicts_description,
    )
}
"""Rules by name; a removal is attributed to the first rule violated."""


def objections(
    asked: Asked, thresholds: Thresholds, rules: Sequence[str] = tuple(RULES)
) -> dict[str, str]:
    """Violated rules, each with the offending words; the removal is attributed to the first."""
    found = {name: RULES[name](asked, thresholds) for name in RULES if name in rules}
    return {name: words for name, words in found.items() if words}
