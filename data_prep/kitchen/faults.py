"""Injects errors of known kinds into the kitchen's questions and answers, to measure the filter.

    python -m data_prep.kitchen.faults --pairs 500

prints one JSON object: the share of each kind of error that the filter removes, and the share of
good questions that it removes. All of it is ours.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.kitchen import language
from data_prep.kitchen.oracle import TrueClip, paired_questions
from data_prep.kitchen.world import ATTRIBUTES, CATEGORIES, VALUES, Scene, sample_scene
from data_prep.text.filter.asked import Asked, Thresholds
from data_prep.text.filter.registry import objections
from stepdiff_jax.arguments import parse_arguments
from stepdiff_jax.jsonl import write_jsonl

FOREIGN = ("saffron", "a hammer", "noodles", "a blender", "shrimp", "a bamboo mat", "coconut milk")
"""Things that occur in no kitchen scene."""

QA = tuple[str, str]
Fault = Callable[[QA, Scene, Scene, np.random.Generator], QA | None]
"""Injects an error into a question and answer about (reference, candidate); None if impossible."""


def kitchen_thresholds(*, topics: bool) -> Thresholds:
    """The filter's default thresholds, with the names of the kitchen's attributes as known words.

    Args:
        topics: include the words of every attribute and category (see `filter.topics`).
    """
    words: dict[str, tuple[str, ...]] = {}
    if topics:
        words = VALUES | {
            name: VALUES[major] + VALUES[minor] for name, (major, minor) in CATEGORIES.items()
        }
    return Thresholds(known_words=(*ATTRIBUTES, *CATEGORIES), topics=words)


def _talks_of_description(qa: QA, _: Scene, __: Scene, rng: np.random.Generator) -> QA:
    question, answer = qa
    return [
        (question, f"according to the description, {answer}"),
        (question, f"{answer}, as the transcript says"),
        (f"based on the narration, {question}", answer),
        (question, f"the captions tell that {answer}"),
    ][rng.integers(4)]


def _not_mentioned(qa: QA, _: Scene, __: Scene, rng: np.random.Generator) -> QA:
    name = ATTRIBUTES[rng.integers(len(ATTRIBUTES))]
    answer = [
        f"the {name} is not mentioned in the second video",
        f"the first video does not specify the {name}",
        f"it is unclear whether the {name} is the same",
        "this cannot be determined from what is given",
    ][rng.integers(4)]
    return qa[0], answer


def _one_video(qa: QA, reference: Scene, candidate: Scene, rng: np.random.Generator) -> QA:
    category = list(CATEGORIES)[rng.integers(len(CATEGORIES))]
    side = int(rng.integers(2))
    phrase = language.phrase((reference, candidate)[side], category)
    which = ("first", "second")[side]
    return [
        (f"what can be seen in the {which} video", f"the video shows {phrase}"),
        (f"what does the person in the {which} video do", f"there is {phrase}"),
        (f"which {category} appears in the {which} video", phrase),
    ][rng.integers(3)]


def _repeats(qa: QA, _: Scene, __: Scene, rng: np.random.Generator) -> QA:
    question, answer = qa
    return [qa, (question.upper(), f"{answer}!"), (f"{question}?", answer)][rng.integers(3)]


def _invents(qa: QA, _: Scene, __: Scene, rng: np.random.Generator) -> QA | None:
    """Replace a value with something found in neither video, or add it."""
    question, answer = qa
    named = _values_in(answer)
    thing = FOREIGN[rng.integers(len(FOREIGN))]
    if not named:
        return question.replace("the same", f"{thing} and the same"), f"{answer}, with {thing}"
    return question, answer.replace(named[rng.integers(len(named))], thing.split()[-1], 1)


def _swaps(qa: QA, reference: Scene, candidate: Scene, rng: np.random.Generator) -> QA | None:
    """Swap the values of the first and the second video."""
    question, answer = qa
    swaps: dict[str, str] = {}
    for name in ATTRIBUTES:
        first, second = reference.word(name), candidate.word(name)
        if first != second:
            swaps |= {first: second, second: first}
    swapped = " ".join(_swap(word, swaps) for word in answer.split(" "))
    return (question, swapped) if swapped != answer else None


def _contradicts(qa: QA, reference: Scene, candidate: Scene, rng: np.random.Generator) -> QA | None:
    """Give one video's value to the other, or claim the opposite about what is the same."""
    question, answer = qa
    if answer in ("YES", "NO"):
        return question, "NO" if answer == "YES" else "YES"
    same_or_not = [name for name in ATTRIBUTES if f"{name} same" in answer]
    if same_or_not:
        name = same_or_not[rng.integers(len(same_or_not))]
        return question, answer.replace(f"{name} same", f"{name} different")
    differing = [name for name in ATTRIBUTES if reference.word(name) != candidate.word(name)]
    for name in rng.permutation(differing):
        first, second = reference.word(name), candidate.word(name)
        if first in answer.split() and second in answer.split():
            return question, answer.replace(
                *((first, second) if rng.random() < 0.5 else (second, first))
            )
    return None


def _breaks_off(qa: QA, _: Scene, __: Scene, rng: np.random.Generator) -> QA:
    question, answer = qa
    words = answer.split()
    return [
        (question, ""),
        (question, " ".join([*words, "and", "with", "the"])),
        (question, " ".join([answer] * (1 + 150 // len(words)))),
        ("what", answer),
    ][rng.integers(4)]


FAULTS: dict[str, Fault] = {
    "length": _breaks_off,
    "mentions_description": _talks_of_description,
    "not_mentioned": _not_mentioned,
    "one_video": _one_video,
    "duplicate": _repeats,
    "found_nowhere": _invents,
    "wrong_order": _swaps,
    "contradicts_description": _contradicts,
}
"""Faults by the rule that should detect them."""


@dataclass(frozen=True)
class Spoiled:
    """A question, its answer and the pair's descriptions, with the injected error ("" for none).

    weight: the loss weight of the answer.
    certain: False for a graded verdict that contradicts the exact comparison, and for a question
        that was asked before: whether the filter should keep it is undefined.
    """

    asked: Asked
    fault: str
    weight: float
    certain: bool


def spoil(
    questions: Sequence[Mapping[str, Any]],
    reference: Scene,
    candidate: Scene,
    rng: np.random.Generator,
    kinds: deque[str],
    share: float,
) -> Iterator[Spoiled]:
    """A pair's questions, a share of them with an injected error.

    Args:
        questions: as `oracle.ask` makes them.
        kinds: names of `FAULTS`, which take turns where possible; turned with every error.
    """
    texts = language.describe(reference, rng), language.describe(candidate, rng)
    earlier: tuple[QA, ...] = ()
    for item in questions:
        qa, fault = (item["question"], item["answer"]), ""
        certain = _is_certain(qa, reference, candidate) and qa not in earlier
        if certain and rng.random() < share:
            kind = kinds[0]
            repeated = earlier[rng.integers(len(earlier))] if earlier else None
            base = repeated if kind == "duplicate" else qa
            changed = FAULTS[kind](base, reference, candidate, rng) if base else None
            if changed is not None:
                qa, fault = changed, kind
                kinds.rotate(-1)
        yield Spoiled(Asked(*qa, *texts, earlier), fault, item["weight"], certain)
        if certain and not fault:
            earlier += (qa,)


def spoiled_questions(
    clips: Sequence[TrueClip], *, seed: int, share: float = 0.5
) -> Iterator[Spoiled]:
    """The kitchen's correct questions and answers, a share of them with an injected error.

    Args:
        share: share of questions with an error; the kinds take turns where possible.
    """
    rng = np.random.default_rng((seed, 7))
    scenes = {clip.clip: clip.scene for clip in clips}
    kinds = deque(FAULTS)
    for row in paired_questions(clips, partners=1, seed=seed, questions=5, error_rate=0.0):
        pair = scenes[row["reference"]], scenes[row["candidate"]]
        yield from (one for one in spoil(row["questions"], *pair, rng, kinds, share) if one.certain)


def removed_shares(spoiled: Sequence[Spoiled], thresholds: Thresholds) -> dict:
    """What the filter removes: of errors, by kind and by rule, and of good questions."""
    there: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for one in spoiled:
        found = objections(one.asked, thresholds)
        there[one.fault] += 1
        gone[one.fault] += bool(found)
        if found:
            rules[next(iter(found))] += 1
    faults = {kind: [gone[kind], there[kind]] for kind in FAULTS}
    errors = sum(there.values()) - there[""]
    return {
        "removed_of_errors": (sum(gone.values()) - gone[""]) / errors,
        "removed_of_good": gone[""] / there[""],
        "good": there[""],
        "errors": errors,
        "by_kind": {kind: {"removed": a, "of": b} for kind, (a, b) in faults.items()},
        "by_rule": {rule: rules[rule] for rule in FAULTS},
    }


def random_clips(pairs: int, seed: int) -> list[TrueClip]:
    """Clips of random scenes, at least eight per keystep, each from a different video."""
    rng = np.random.default_rng((seed, 8))
    return [
        TrueClip(f"video{number}_0_8", sample_scene(rng, "train", keystep=number % 8))
        for number in range(max(pairs, 64))
    ]


def _is_certain(qa: QA, reference: Scene, candidate: Scene) -> bool:
    """False for graded verdicts that contradict the exact comparison: correctness is undefined."""
    question, answer = qa
    if answer not in ("YES", "NO"):
        return True
    asked = CATEGORIES | {name: (name,) for name in ATTRIBUTES}
    names = next(names for name, names in asked.items() if f"same {name}?" in question)
    same = all(reference.word(name) == candidate.word(name) for name in names)
    return (answer == "YES") == same


def _values_in(text: str) -> list[str]:
    words = set(text.replace(",", " ").split())
    return sorted(word for group in VALUES.values() for word in group if word in words)


def _swap(word: str, swaps: dict[str, str]) -> str:
    bare = word.rstrip(",")
    return swaps.get(bare, bare) + word[len(bare) :]


@dataclass(frozen=True)
class Measure:
    """Inject errors into the kitchen's questions and count how many the filter removes."""

    pairs: int = 500
    seed: int = 0
    topics: bool = True
    """Give the filter the kitchen's words for each topic."""
    examples: Path | None = None
    """Output JSON Lines with every question, its error and the rules that it violates."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the shares as one JSON object."""
    import sys

    options = parse_arguments(
        Measure,
        sys.argv[1:] if arguments is None else arguments,
        prog="python -m data_prep.kitchen.faults",
    )
    clips = random_clips(options.pairs, options.seed)
    spoiled = list(spoiled_questions(clips, seed=options.seed))
    thresholds = kitchen_thresholds(topics=options.topics)
    if options.examples:
        write_jsonl(
            options.examples,
            (
                one.asked._asdict()
                | {"fault": one.fault}
                | {"rules": objections(one.asked, thresholds)}
                for one in spoiled
            ),
        )
    print(json.dumps(removed_shares(spoiled, thresholds), indent=2))


if __name__ == "__main__":
    main()
