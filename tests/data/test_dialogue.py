"""Conversations of several turns: every answer is a target, and later turns see earlier ones."""

import numpy as np
import pytest

from data_prep.kitchen.stand_ins import DIRECTORY
from stepdiff_jax.data.lengths import record_example
from stepdiff_jax.data.packing import lay_out
from stepdiff_jax.data.prompts import answer_text, dialogue, pair_conversation, single_conversation
from stepdiff_jax.data.records import ConversationRecord, QuestionAnswer
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.layout import attention_mask

TURNS = (QuestionAnswer("what?", "this pan"), QuestionAnswer("and then?", "a lid", 0.5))
LATENTS = 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(DIRECTORY / "tokenizer.model", "llama2")


def test_a_single_question_is_laid_out_as_it_will_be_asked(tokenizer):
    asked = [("what?", answer_text("this"))]
    for conversation, same in (
        (dialogue([4, 2], asked), pair_conversation(4, 2, asked)),
        (dialogue([4], asked), single_conversation(4, asked)),
    ):
        rows, expected = (lay_out(one, tokenizer, LATENTS).rows for one in (conversation, same))
        for name in ("tokens", "visual_slot", "positions", "loss_mask"):
            np.testing.assert_array_equal(getattr(rows, name), getattr(expected, name))


@pytest.mark.parametrize("clips", [(5,), (5, 6), (5, 6, 7)])
@pytest.mark.parametrize("system", ["", "Be brief."])
def test_all_answers_are_targets_and_each_token_sees_all_before_it(tokenizer, clips, system):
    example = record_example(ConversationRecord(clips, TURNS, system), tokenizer, LATENTS)
    rows = example.rows
    assert example.clips == clips
    trained = [int(token) for token in rows.tokens[rows.loss_mask > 0]]
    first, second = (tokenizer.encode(turn.answer) for turn in TURNS)
    assert trained == [*first, tokenizer.eos, *second, tokenizer.eos]
    assert set(rows.loss_mask.tolist()) == {0.0, 1.0, 0.5}
    assert attention_mask(rows, rows).tolist() == np.tri(example.length, dtype=bool).tolist()
    text = tokenizer.decode([int(token) for token in rows.tokens[rows.visual_slot < 0]])
    assert ("Be brief." in text) == bool(system)


def test_videos_stand_where_the_questions_have_them(tokenizer):
    turns = (QuestionAnswer("is <video> so?", "no"), QuestionAnswer("<video>?", "yes"))
    rows = record_example(ConversationRecord((1, 0), turns), tokenizer, LATENTS).rows
    before, after = (int(np.flatnonzero(rows.visual_slot == slot)[0]) for slot in (0, LATENTS))
    answers = np.flatnonzero(rows.loss_mask > 0)
    assert before < answers[0] < after < answers[-1]
