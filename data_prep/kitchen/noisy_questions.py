"""Questions as noisy as a language model's, and the filter's settings for them; ours.

The paper's questions come from Llama-2-chat and are filtered, "given the high likelihood of
hallucinations produced by the LLM" (section 4.5). The kitchen's oracle hardly errs, so errors of
the kinds that the filter knows are injected.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_prep.kitchen import stand_ins
from data_prep.kitchen.faults import FAULTS, Spoiled, kitchen_thresholds, spoil
from data_prep.kitchen.oracle import paired_questions, read_truth
from data_prep.kitchen.world import CATEGORIES, VALUES
from data_prep.schema.line import Row
from data_prep.text.filter.asked import Thresholds
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.jsonl import write_jsonl

SHARE = 0.5
"""Share of questions with an injected error, where the kind allows one."""

PAIR_TOKENS = 140
"""Tokens that a pair's questions and answers may have, so that they fit in the kitchen's rows."""

SPLITS = ("train", "validation")


def write_noisy_questions(truth: Path, destination: Path, *, partners: int, seed: int) -> int:
    """Write `questions.jsonl`, as the question stage does, from a world's `truth.jsonl`.

    Pairs and questions are those of `paired_questions` before the errors. An empty answer is
    left out, as by the question stage, and so is what exceeds `PAIR_TOKENS`.

    Returns:
        number of pairs.
    """
    rows = list(_rows(truth, partners, seed))
    write_jsonl(destination, rows)
    return len(rows)


def thresholds() -> Thresholds:
    """The filter's, which knows the words of every attribute.

    Verdicts on a category are graded, so no words say whether one is right.
    """
    return replace(kitchen_thresholds(topics=True), topics=VALUES | dict.fromkeys(CATEGORIES, ()))


def _rows(truth: Path, partners: int, seed: int) -> Iterator[Row]:
    tokenizer = Tokenizer(stand_ins.DIRECTORY / "tokenizer.model", "llama2")
    for number, split in enumerate(SPLITS, start=seed):
        clips = read_truth(truth, split)
        scenes = {one.clip: one.scene for one in clips}
        rng, kinds = np.random.default_rng((number, 9)), deque(FAULTS)
        for row in paired_questions(clips, partners=partners, seed=number):
            pair = scenes[row["reference"]], scenes[row["candidate"]]
            spoiled = list(spoil(row["questions"], *pair, rng, kinds, SHARE))
            reference, candidate = spoiled[0].asked.reference, spoiled[0].asked.candidate
            questions = list(_fitting(spoiled, tokenizer))
            if not questions:
                continue
            yield {
                **row,
                "questions": questions,
                "split": split,
                "reference_description": reference,
                "candidate_description": candidate,
            }


def _fitting(spoiled: Sequence[Spoiled], tokenizer: Tokenizer) -> Iterator[Row]:
    """The questions that have an answer and fit in a row with those before them."""
    left = PAIR_TOKENS
    for one in spoiled:
        question, answer = one.asked.question, one.asked.answer
        tokens = len(tokenizer.encode(question)) + len(tokenizer.encode(answer))
        if answer and tokens <= left:
            left -= tokens
            # Loss weights belong to the kinds of correct answers; see `language.answer_weight`.
            weight = 1.0 if one.fault and answer not in ("YES", "NO") else one.weight
            yield {"question": question, "answer": answer, "weight": weight}
