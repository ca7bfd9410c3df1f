"""Text about the kitchen: narrations, descriptions, difference captions, questions, answers.

All of it is ours. Captions follow the style of the benchmark's annotations ("The person uses ...
instead of ...", paper, section 4).
"""

import re
from collections.abc import Callable

import numpy as np

from data_prep.kitchen.world import ATTRIBUTES, CATEGORIES, KEYSTEPS, VALUES, Scene, score
from stepdiff_jax.data.prompts import difference_question, ranking_question

OFF_TOPIC = (
    "welcome back to my channel",
    "do not forget to subscribe",
    "this recipe is from my grandmother",
    "it smells so good in here",
    "thank you all for watching",
    "my family loves this dish",
)

_MENTIONS: dict[str, tuple[str, ...]] = {
    "ingredient": ("i have some {} here", "we need {}", "these {} are fresh"),
    "topping": ("a bit of {} on top", "i like {} with it"),
    "tool": ("i take the {}", "a {} is best for this"),
    "material": ("i always use something {}", "{} is best for this"),
    "motion": ("keep {} like this", "i am {} now"),
    "finish": ("then i am {} it", "at the end comes {}"),
    "cut": ("everything is {} cut", "{} cut is best"),
    "hands": ("use {} for this", "{} will do"),
    "vessel": ("in my {} dish", "the {} dish is ready"),
    "counter": ("on the {} counter", "here at my {} counter"),
}

_OPENINGS: dict[str, str] = {
    "Ingredients": "the person adds",
    "Tools/Equipment": "the person uses",
    "Actions": "the person is",
    "Technique": "the person works with",
    "Visuals": "the video shows",
}
CONTRASTS = ("instead of", "as opposed to", "rather than")
NO_DIFFERENCE = "there is no difference"

YES_SHARE = {5: 0.97, 4: 0.75, 2: 0.25, 1: 0.03}
"""Similarity score -> how often "do these show the same ...?" is answered YES, as a language model
that summarises descriptions overlooks small differences more often than large ones."""


def spoken(attribute: str, word: str) -> str:
    """The value as used in a sentence ("one" becomes "one hand")."""
    if attribute == "hands":
        return "one hand" if word == "one" else "both hands"
    return word


def mention(scene: Scene, attribute: str, rng: np.random.Generator) -> str:
    """A spoken sentence that mentions one attribute of the scene."""
    form = _MENTIONS[attribute][rng.integers(len(_MENTIONS[attribute]))]
    return form.format(spoken(attribute, scene.word(attribute)))


def narration(scene: Scene, rng: np.random.Generator) -> list[str]:
    """Sentences that mention three to five random attributes, one or two per sentence."""
    chosen = rng.permutation(len(ATTRIBUTES))[: int(rng.integers(3, 6))]
    mentions = [mention(scene, ATTRIBUTES[index], rng) for index in chosen]
    sentences = [f"now we {KEYSTEPS[scene.keystep]}"] if rng.random() < 0.5 else []
    while mentions:
        taken = mentions[:2] if rng.random() < 0.6 else mentions[:1]
        mentions = mentions[len(taken) :]
        sentences.append(" and ".join(taken))
    return sentences


def phrase(scene: Scene, category: str) -> str:
    """A short phrase for the scene's two attributes in one category."""
    major, minor = (spoken(name, scene.word(name)) for name in CATEGORIES[category])
    return {
        "Ingredients": f"{major} with {minor}",
        "Tools/Equipment": f"a {minor} {major}",
        "Actions": f"{major} and then {scene.word('finish')} it",
        "Technique": f"{major} cut pieces with {minor}",
        "Visuals": f"a {major} dish on a {minor} counter",
    }[category]


def describe(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """A full step description; with `rng`, the categories are in random order."""
    order = list(CATEGORIES)
    if rng is not None:
        rng.shuffle(order)
    return ", ".join([KEYSTEPS[scene.keystep], *(phrase(scene, category) for category in order)])


def difference_caption(
    reference: Scene, candidate: Scene, category: str, contrast: str = CONTRASTS[0]
) -> str:
    """How the candidate differs from the reference in one category."""
    if score(reference, candidate, category) == 5:
        return f"{NO_DIFFERENCE} in {category}"
    opening = _OPENINGS[category]
    return f"{opening} {phrase(candidate, category)} {contrast} {phrase(reference, category)}"


def yes_or_no(reference: Scene, candidate: Scene, category: str, rng: np.random.Generator) -> str:
    """A graded, noisy verdict (see YES_SHARE)."""
    share = YES_SHARE[score(reference, candidate, category)]
    return "YES" if rng.random() < share else "NO"


def contrast_answer(reference: Scene, candidate: Scene, attribute: str) -> str:
    """How one attribute differs, first video first."""
    first = spoken(attribute, reference.word(attribute))
    second = spoken(attribute, candidate.word(attribute))
    if first == second:
        return f"both videos show {first}"
    return f"the first video shows {first} and the second video shows {second}"


def summary(reference: Scene, candidate: Scene) -> str:
    """The values of the first and the second video, attribute by attribute."""
    return ", ".join(
        f"{name} {reference.word(name)} and {candidate.word(name)}" for name in ATTRIBUTES
    )


def checklist(reference: Scene, candidate: Scene) -> str:
    """Whether the two videos agree, attribute by attribute."""
    return ", ".join(
        f"{name} {'same' if reference.word(name) == candidate.word(name) else 'different'}"
        for name in ATTRIBUTES
    )


def score_list(reference: Scene, candidate: Scene) -> str:
    """The similarity score, category by category."""
    return ", ".join(f"{name} {score(reference, candidate, name)}" for name in CATEGORIES)


Question = Callable[[Scene, Scene, np.random.Generator], tuple[str, str]]


def ask_difference(reference: Scene, candidate: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Ask for the main difference in a category, preferring categories that differ."""
    differing = [c for c in CATEGORIES if score(reference, candidate, c) < 5]
    names = differing if differing and rng.random() < 0.95 else list(CATEGORIES)
    category = names[rng.integers(len(names))]
    return difference_question(category), difference_caption(reference, candidate, category)


def ask_same(reference: Scene, candidate: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Ask whether a category is the same; similarity scores are sampled evenly."""
    by_score: dict[int, list[str]] = {}
    for name in CATEGORIES:
        by_score.setdefault(score(reference, candidate, name), []).append(name)
    names = list(by_score.values())[rng.integers(len(by_score))]
    category = names[rng.integers(len(names))]
    return ranking_question(category), yes_or_no(reference, candidate, category, rng)


def ask_same_attribute(
    reference: Scene, candidate: Scene, rng: np.random.Generator
) -> tuple[str, str]:
    """Ask whether one attribute is the same; the answer is exact, unlike a category's."""
    attribute = ATTRIBUTES[rng.integers(len(ATTRIBUTES))]
    same = reference.word(attribute) == candidate.word(attribute)
    return ranking_question(attribute), "YES" if same else "NO"


def ask_contrast(reference: Scene, candidate: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Ask how one attribute differs between the videos."""
    attribute = ATTRIBUTES[rng.integers(len(ATTRIBUTES))]
    answer = contrast_answer(reference, candidate, attribute)
    return f"how does the {attribute} differ between the two videos", answer


def ask_summary(reference: Scene, candidate: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Ask for the values of both videos in one answer."""
    return "summarize the differences", summary(reference, candidate)


def ask_checklist(reference: Scene, candidate: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Ask for the whole comparison in one answer."""
    return "summarize what is the same and what is different", checklist(reference, candidate)


def ask_scores(reference: Scene, candidate: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Ask for the similarity scores of all categories in one answer."""
    return "rate how similar the videos are from 1 to 5", score_list(reference, candidate)


_WEIGHTS: dict[Question, float] = {
    ask_same: 4.0,
    ask_same_attribute: 4.0,
    ask_scores: 3.0,
    ask_checklist: 2.0,
}


def answer_weight(ask: Question) -> float:
    """Loss weight of an answer's tokens.

    YES and NO are single tokens next to answers of twenty tokens, and only about half of the tokens
    in a list carry information.
    """
    return _WEIGHTS.get(ask, 1.0)


_WORD_ATTRIBUTE = {word: name for name, words in VALUES.items() for word in words}


def attributes_in(caption: str) -> tuple[dict[str, str], dict[str, str]]:
    """The attribute values named before and after a caption's contrast phrase ("instead of", ...).

    Returns:
        (candidate's, reference's): attribute -> word; the second is empty if there is no contrast.
    """
    sides = re.split("|".join(CONTRASTS), caption, maxsplit=1)
    named = [
        {
            _WORD_ATTRIBUTE[word]: word
            for word in re.findall(r"[a-z]+", side.lower())
            if word in _WORD_ATTRIBUTE
        }
        for side in sides
    ]
    return named[0], named[1] if len(named) > 1 else {}


def correct_attributes(
    caption: str, reference: Scene, candidate: Scene, category: str
) -> tuple[int, int]:
    """How many of the category's two attributes of both videos a caption names correctly.

    Returns:
        (correct, asked): asked is always 4.
    """
    candidate_named, reference_named = attributes_in(caption)
    names = CATEGORIES[category]
    correct = sum(candidate_named.get(name) == candidate.word(name) for name in names)
    correct += sum(reference_named.get(name) == reference.word(name) for name in names)
    return correct, 2 * len(names)
