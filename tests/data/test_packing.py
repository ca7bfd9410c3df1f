"""The layout of conversations as tokens, and the plan of rows."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from stepdiff_jax.data.packing import Lengths, RowShape, lay_out, pack_row, plan_rows
from stepdiff_jax.data.prompts import (
    Conversation,
    Text,
    Video,
    answer_text,
    interleaved_conversation,
    pair_conversation,
    ranking_question,
)
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError

LLAMA_TOKENIZER = "STEPDIFF_LLAMA_TOKENIZER"

QUESTIONS = [
    (ranking_question("Actions"), answer_text("YES")),
    ("which", answer_text("NO", 0.5)),
]

# fmt: off
KITCHEN_IDS = (
    [289, 292, 747, 473, 291, 290, 472, 371, 265, 526, 510, 481, 521, 480, 482, 523, 265, 519, 378,
     305, 741, 330, 353, 265, 524, 528, 741, 374, 321, 263, 496, 281, 757],
    [293, 374, 321, 263, 497, 281, 757],
    [303, 291, 302, 336, 331, 341, 305, 338, 263, 272, 404, 755, 330, 313, 342, 325, 741, 300, 292,
     747],
    [313],
)
LLAMA_IDS = (
    [518, 25580, 29962, 3532, 14816, 29903, 6778, 13, 3492, 526, 263, 8444, 319, 29902, 20255, 393,
     6089, 5155, 1048, 263, 5101, 310, 19707, 29889, 673, 297, 263, 2323, 10541, 29889, 2266, 338,
     278, 937, 4863, 29901],
    [869, 2266, 338, 278, 1473, 4863, 29901],
    [869, 13, 29966, 829, 14816, 29903, 6778, 13, 13, 1867, 1438, 1023, 19707, 1510, 278, 1021, 319,
     1953, 29973, 673, 22483, 470, 11698, 29889, 518, 29914, 25580, 29962],
    [22483],
)
# fmt: on


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(STAND_INS / "tokenizer.model")


def check_pair_ids(tokenizer: Tokenizer, ids: tuple[list[int], ...]) -> None:
    """BOS, system text, two slots of two latents with the text between them, question, answer."""
    before, between, question, answer = ids
    example = lay_out(pair_conversation(3, 5, QUESTIONS[:1]), tokenizer, latents=2)
    expected = [1, *before, 0, 0, *between, 0, 0, *question, *answer, 2]
    assert example.rows.tokens.tolist() == expected
    slots = np.full(len(expected), -1)
    first = 1 + len(before)
    second = first + 2 + len(between)
    slots[first : first + 2] = 0, 1
    slots[second : second + 2] = 2, 3
    assert example.rows.visual_slot.tolist() == slots.tolist()
    assert example.rows.loss_mask.tolist() == [0.0] * (len(expected) - 2) + [1.0, 1.0]
    assert example.rows.positions.tolist() == list(range(len(expected)))
    assert example.clips == (3, 5)
    assert example.answers == 2


def test_token_ids_around_the_video_slots(tokenizer):
    check_pair_ids(tokenizer, KITCHEN_IDS)


@pytest.mark.skipif(
    LLAMA_TOKENIZER not in os.environ, reason=f"{LLAMA_TOKENIZER} names no Llama-2 tokenizer.model"
)
def test_token_ids_around_the_video_slots_of_llama_2():
    tokenizer = Tokenizer(os.environ[LLAMA_TOKENIZER])
    assert (tokenizer.vocabulary_size, tokenizer.bos, tokenizer.eos) == (32000, 1, 2)
    check_pair_ids(tokenizer, LLAMA_IDS)


def test_branches_go_on_where_the_prefix_ended(tokenizer):
    example = lay_out(pair_conversation(3, 5, QUESTIONS), tokenizer, latents=2)
    alone = [lay_out(pair_conversation(3, 5, [one]), tokenizer, latents=2) for one in QUESTIONS]
    prefix = int((example.rows.segment == 1).sum())
    assert set(example.rows.parent[example.rows.segment == 1]) == {0}
    for number, single in enumerate(alone):
        inside = example.rows.segment == 2 + number
        assert set(example.rows.parent[inside]) == {1}
        for field in ("tokens", "positions", "loss_mask", "visual_slot"):
            shared = getattr(example.rows, field)
            np.testing.assert_array_equal(shared[inside], getattr(single.rows, field)[prefix:])
            np.testing.assert_array_equal(shared[:prefix], getattr(single.rows, field)[:prefix])
    assert example.rows.loss_mask[-2:].tolist() == [0.5, 0.5]
    assert [column.dtype for column in example.rows] == [np.int32] * 5 + [np.float32]


def test_every_narration_of_a_sequence_is_a_target(tokenizer):
    example = lay_out(interleaved_conversation((7, 9), ("the onion", "cut")), tokenizer, latents=3)
    onion, cut = tokenizer.encode("the onion"), tokenizer.encode("cut")
    assert example.rows.tokens.tolist() == [1, 0, 0, 0, *onion, 0, 0, 0, *cut]
    assert example.rows.loss_mask.tolist() == (
        [0.0] * 4 + [1.0] * len(onion) + [0.0] * 3 + [1.0] * len(cut)
    )
    assert set(example.rows.segment) == {1}


def test_what_a_branch_may_not_hold(tokenizer):
    with pytest.raises(InputError, match="a branch holds a video"):
        lay_out(Conversation((Text("a"),), ((Text("b"), Video(1)),)), tokenizer, 2)
    with pytest.raises(InputError, match="a branch must begin with a question"):
        lay_out(Conversation((Text("a"),), ((answer_text("b"),),)), tokenizer, 2)


def test_a_row_holds_its_examples_side_by_side(tokenizer):
    pair = lay_out(pair_conversation(3, 5, QUESTIONS), tokenizer, latents=2)
    sequence = lay_out(interleaved_conversation((7,), ("the onion",)), tokenizer, latents=2)
    shape = RowShape(pair.length + sequence.length + 4, videos=4, answers=99)
    row, clips = pack_row([pair, sequence], shape, latents=2)
    assert clips.tolist() == [3, 5, 7, -1]
    first, second = slice(0, pair.length), slice(pair.length, pair.length + sequence.length)
    for field in ("tokens", "positions", "loss_mask"):
        column = getattr(row, field)
        np.testing.assert_array_equal(column[first], getattr(pair.rows, field))
        np.testing.assert_array_equal(column[second], getattr(sequence.rows, field))
        assert not column[-4:].any()
    np.testing.assert_array_equal(row.segment[first], pair.rows.segment)
    np.testing.assert_array_equal(row.parent[first], pair.rows.parent)
    assert set(row.segment[second]) == {4}
    assert set(row.parent[second]) == {0}
    assert row.visual_slot[second].tolist() == [-1, 4, 5, *([-1] * (sequence.length - 3))]
    assert row.segment[-4:].tolist() == [0] * 4
    assert row.visual_slot[-4:].tolist() == [-1] * 4


SHAPE = RowShape(length=100, videos=4, answers=30)


@st.composite
def lengths(draw) -> Lengths:
    sizes = st.tuples(st.integers(1, 100), st.integers(0, 4), st.integers(0, 30))
    table = np.array(draw(st.lists(sizes, min_size=1, max_size=200)))
    return Lengths(*table.T)


@settings(deadline=None, max_examples=60)
@given(lengths(), st.integers(0, 2**32 - 1))
def test_a_plan_holds_every_record_once_within_the_limits(needs, seed):
    order = np.random.default_rng(seed).permutation(len(needs.length))
    rows = plan_rows(needs, SHAPE, order)
    assert sorted(record for row in rows for record in row) == list(range(len(order)))
    for row in rows:
        assert needs.length[row].sum() <= SHAPE.length
        assert needs.videos[row].sum() <= SHAPE.videos
        assert needs.answers[row].sum() <= SHAPE.answers
    assert plan_rows(needs, SHAPE, order) == rows


def test_a_plan_fills_its_rows():
    rng = np.random.default_rng(0)
    needs = Lengths(rng.integers(5, 60, 2000), np.ones(2000, int), rng.integers(1, 9, 2000))
    rows = plan_rows(needs, SHAPE, rng.permutation(2000))
    assert needs.length.sum() / (SHAPE.length * len(rows)) > 0.9


@pytest.mark.parametrize(
    ("need", "message"),
    [
        ((101, 1, 1), "record 2 needs row_length 101, the configuration has 100"),
        ((9, 5, 1), "record 2 needs row_videos 5, the configuration has 4"),
        ((9, 1, 31), "record 2 needs row_answers 31, the configuration has 30"),
    ],
)
def test_a_record_that_fits_no_row_is_an_input_error(need, message):
    table = np.array([(9, 1, 1), (9, 1, 1), need])
    with pytest.raises(InputError, match=message):
        plan_rows(Lengths(*table.T), SHAPE, np.array([0, 2, 1]))
