"""The language model's training text: comparison dialogues with descriptions in place of videos.

They teach what Llama-2-chat can do already: read two step descriptions and compare them. Each
dialogue has the layout used in training, with a description in each video's slot. Only scenes of
the training split are used.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from data_prep.kitchen import language, stand_ins
from data_prep.kitchen.world import (
    ATTRIBUTES,
    CATEGORIES,
    KEYSTEPS,
    VALUES,
    Scene,
    sample_scene,
    score,
)
from stepdiff_jax.data.chat import in_template
from stepdiff_jax.data.prompts import (
    ANYMAL_SYSTEM,
    Conversation,
    Segment,
    Text,
    Turn,
    answer_text,
    pair_prefix,
    question_branch,
    ranking_question,
)
from stepdiff_jax.families.common.find import find_family

DESCRIPTION_WEIGHT = 0.05
SENTENCES = 0.2
NARRATION_QUESTION = "what does the person say"

Branch = tuple[Segment, ...]
Pairs = Literal["any", "verdicts"]


def similar_scene(scene: Scene, rng: np.random.Generator) -> Scene:
    """A training scene of the same keystep that shares each value with probability 1/2 or more."""
    while True:
        values = tuple(
            value if rng.random() < 0.5 else int(rng.integers(len(VALUES[name])))
            for name, value in zip(ATTRIBUTES, scene.values)
        )
        other = Scene(scene.keystep, values)
        if other.split == "train":
            return other


def keywords(scene: Scene, rng: np.random.Generator) -> str:
    """Bare keywords in random order, with or without the keystep."""
    words = [scene.word(name) for name in ATTRIBUTES]
    if rng.random() < 0.5:
        words.append(KEYSTEPS[scene.keystep])
    rng.shuffle(words)
    return " ".join(words)


def described(scene: Scene, rng: np.random.Generator) -> Text:
    """A scene in a video's slot: sometimes as sentences, since the form must not matter."""
    text = language.describe(scene, rng) if rng.random() < SENTENCES else keywords(scene, rng)
    return Text(text, loss_weight=DESCRIPTION_WEIGHT)


def narrated(scene: Scene, rng: np.random.Generator) -> str:
    """What the person says, sometimes with an off-topic sentence."""
    sentences = language.narration(scene, rng)
    if rng.random() < 0.3:
        off_topic = language.OFF_TOPIC[rng.integers(len(language.OFF_TOPIC))]
        sentences.insert(int(rng.integers(len(sentences) + 1)), off_topic)
    return ". ".join(sentences)


def pair_dialogue(rng: np.random.Generator) -> Conversation:
    """Two scenes and seven questions about them.

    Deciding whether two descriptions agree is by far the hardest task, so it is frequent: verdicts,
    scores of all categories, and checklists of all attributes, from which a verdict follows.
    """
    reference = sample_scene(rng, "train")
    candidate = similar_scene(reference, rng)
    kinds = [
        language.ask_difference,
        language.ask_same,
        language.ask_same,
        language.ask_same_attribute,
        language.ask_checklist,
        language.ask_scores,
        language.ask_summary if rng.random() < 0.3 else language.ask_same,
    ]
    if rng.random() < 0.1:
        kinds[0] = language.ask_contrast
    branches = tuple(_asked(ask, reference, candidate, rng) for ask in kinds)
    prefix = pair_prefix(described(reference, rng), described(candidate, rng))
    return Conversation(prefix, branches)


def verdict_dialogue(rng: np.random.Generator) -> Conversation:
    """Two scenes and mostly verdicts: on the actions, on two other categories, on one attribute.

    The verdict on Actions is the one that a model learns last. A category's verdict has both
    answers, each weighted by its share: one noisy answer says next to nothing about the smaller
    difference, which changes the share of YES from .97 to .75.
    """
    reference = sample_scene(rng, "train")
    candidate = similar_scene(reference, rng)
    others = [name for name in CATEGORIES if name != "Actions"]
    rng.shuffle(others)
    summaries = (language.ask_checklist, language.ask_scores, language.ask_summary)
    kinds = [
        language.ask_difference if rng.random() < 0.9 else language.ask_contrast,
        language.ask_same_attribute,
        summaries[rng.choice(3, p=(0.4, 0.4, 0.2))],
    ]
    branches = [_asked(ask, reference, candidate, rng) for ask in kinds]
    for category in ("Actions", *others[:2]):
        branches += verdict_branches(reference, candidate, category)
    prefix = pair_prefix(described(reference, rng), described(candidate, rng))
    return Conversation(prefix, tuple(branches))


def verdict_branches(reference: Scene, candidate: Scene, category: str) -> list[Branch]:
    """The question of DiffRank, answered YES and answered NO, weighted by `YES_SHARE`."""
    share = language.YES_SHARE[score(reference, candidate, category)]
    weight = language.answer_weight(language.ask_same)
    return [
        question_branch(ranking_question(category), answer_text(answer, weight * part))
        for answer, part in (("YES", share), ("NO", 1 - share))
    ]


def _asked(
    ask: language.Question, reference: Scene, candidate: Scene, rng: np.random.Generator
) -> Branch:
    question, answer = ask(reference, candidate, rng)
    return question_branch(question, answer_text(answer, language.answer_weight(ask)))


def single_dialogue(rng: np.random.Generator) -> Conversation:
    """One scene and what the person says."""
    scene = sample_scene(rng, "train")
    return Conversation(
        (Turn("system"), Text(ANYMAL_SYSTEM), described(scene, rng)),
        (question_branch(NARRATION_QUESTION, answer_text(narrated(scene, rng))),),
    )


def interleaved_text(rng: np.random.Generator) -> Conversation:
    """Two or three scenes of one video, each followed by its narration."""
    segments: list[Segment] = []
    for _ in range(int(rng.integers(2, 4))):
        scene = sample_scene(rng, "train")
        segments += [described(scene, rng), Text(narrated(scene, rng), loss_weight=1.0)]
    return Conversation(tuple(segments))


PAIRS: dict[Pairs, Callable[[np.random.Generator], Conversation]] = {
    "any": pair_dialogue,
    "verdicts": verdict_dialogue,
}
"""Dialogues about two scenes by what they ask about."""


def dialogues(seed: int, pairs: Pairs = "any") -> Iterator[Conversation]:
    """An endless, seeded stream; four fifths are dialogues about two scenes."""
    rng = np.random.default_rng(seed)
    kinds = 8 * [PAIRS[pairs]] + [single_dialogue, interleaved_text]
    while True:
        yield kinds[rng.integers(len(kinds))](rng)


def corpus(seed: int, conversations: int) -> Iterator[str]:
    """The texts of some dialogues, segment by segment, for the tokenizer."""
    yield from language.OFF_TOPIC * 20
    for _, conversation in zip(range(conversations), dialogues(seed)):
        chat = in_template(conversation, find_family(stand_ins.LLAMA.family))
        for part in (*chat.prefix, *(p for b in chat.branches for p in b)):
            if isinstance(part, Text):
                yield part.text
