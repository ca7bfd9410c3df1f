"""Counts prompt and answer tokens of the language model stages, on kitchen sentences."""

from statistics import fmean

import numpy as np

from data_prep.kitchen import language
from data_prep.kitchen.oracle import ask
from data_prep.kitchen.world import KEYSTEPS, Scene, sample_scene
from data_prep.text.describe.stage import PROMPT
from data_prep.text.question.stage import question_prompt
from stepdiff_jax.data.tokenizer import Tokenizer


def count_tokens(tokens: Tokenizer, *, samples: int, seed: int) -> dict[str, dict[str, float]]:
    """Stage -> mean tokens of its prompt and answer, without those of the chat template."""
    rng = np.random.default_rng(seed)
    counts: dict[str, tuple[list[int], list[int]]] = {"describe": ([], []), "question": ([], [])}
    for number in range(samples):
        scenes = [sample_scene(rng, "train", keystep=number % len(KEYSTEPS)) for _ in range(2)]
        descriptions = [language.describe(scene, rng) for scene in scenes]
        asked = ask(scenes[0], scenes[1], rng, 3)
        for stage, prompt, answer in (
            ("describe", _describe_prompt(scenes[0], rng), descriptions[0]),
            (
                "question",
                question_prompt(*descriptions),
                "\n".join(f"Q: {one['question']}\nA: {one['answer']}" for one in asked),
            ),
        ):
            for texts, text in zip(counts[stage], (prompt, answer)):
                texts.append(len(tokens.encode(text)))
    return {
        stage: {"prompt": fmean(prompts), "answer": fmean(answers)}
        for stage, (prompts, answers) in counts.items()
    }


def _describe_prompt(scene: Scene, rng: np.random.Generator) -> str:
    narration = " ".join(language.narration(scene, rng))
    return PROMPT.format(
        keystep=KEYSTEPS[scene.keystep],
        narration=narration,
        actions=language.phrase(scene, "Actions"),
        objects="; ".join(language.phrase(scene, name) for name in ("Ingredients", "Visuals")),
    )
