"""The language model's training text: comparison dialogues with descriptions in place of videos.

They teach what Llama-2-chat can do already: read two step descriptions and compare them. Each
dialogue has the layout used in training, with a description in each video's slot. Only scenes of
the training split are used.
"""

from collections.abc import Iterator

import numpy as np

from data_prep.kitchen import language, stand_ins
from data_prep.kitchen.world import ATTRIBUTES, KEYSTEPS, VALUES, Scene, sample_scene
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
)
from stepdiff_jax.families.common.find import find_family

DESCRIPTION_WEIGHT = 0.05
SENTENCES = 0.2
NARRATION_QUESTION = "what does the person say"


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
    branches: list[tuple[Segment, ...]] = []
    for ask in kinds:
        question, answer = ask(reference, candidate, rng)
        branches.append(question_branch(question, answer_text(answer, language.answer_weight(ask))))
    prefix = pair_prefix(described(reference, rng), described(candidate, rng))
    return Conversation(prefix, tuple(branches))


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


def dialogues(seed: int) -> Iterator[Conversation]:
    """An endless, seeded stream; four fifths are pair dialogues."""
    rng = np.random.default_rng(seed)
    kinds = 8 * [pair_dialogue] + [single_dialogue, interleaved_text]
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
