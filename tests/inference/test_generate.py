"""Generation in one compiled loop over a shared cache is greedy decoding, branch by branch."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references.models import RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import Conversation, pair_conversation
from stepdiff_jax.inference.clips import LatentTable
from stepdiff_jax.inference.decoding import advance, idle, insert
from stepdiff_jax.inference.generate import ContinuousBatch, generate
from stepdiff_jax.inference.requests import group_requests, pair_request
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.vclm import VCLM

NEW_TOKENS = 6
SHAPE = RowShape(length=192, videos=2, answers=0)
MODEL = vclm()
LATENTS = np.random.default_rng(0).normal(0, 1.5, (3, RESAMPLER.latents, 32)).astype(np.float32)
PAIRS = (
    pair_conversation(0, 1, [("what is chopped", None), ("YES or NO", None), ("what", None)]),
    pair_conversation(2, 0, [("what is the main difference", None)]),
)


def packed(conversation: Conversation) -> tuple[PackedRows, np.ndarray]:
    row, clips = pack_row([lay_out(conversation, tokenizer(), RESAMPLER.latents)], SHAPE, 3)
    return PackedRows(*(column[None] for column in row)), LATENTS[clips][None]


@jax.jit
def next_token_logits(
    model: VCLM, rows: PackedRows, latents: jax.Array, last: jax.Array
) -> jax.Array:
    return model.llama.logits(model.hidden(rows, latents)[0, last])


def greedy_without_cache(conversation: Conversation) -> list[int]:
    """One branch continued by repeated full forward passes."""
    assert len(conversation.branches) == 1
    rows, latents = packed(conversation)
    length = int(np.count_nonzero(rows.segment))
    output = []
    for place in range(length, length + NEW_TOKENS):
        logits = next_token_logits(MODEL, rows, latents, jnp.asarray(place - 1))
        output.append(int(jnp.argmax(logits)))
        new = {"tokens": output[-1], "positions": rows.positions[0, place - 1] + 1}
        new |= {"segment": 2, "parent": 1}
        for field, value in new.items():
            getattr(rows, field)[0, place] = value
    return output


@pytest.fixture(scope="module")
def expected() -> list[list[int]]:
    """Of every branch of `PAIRS`, in order."""
    return [
        greedy_without_cache(Conversation(pair.prefix, (branch,)))
        for pair in PAIRS
        for branch in pair.branches
    ]


def generated(*ends: int) -> np.ndarray:
    """[2, 3, NEW_TOKENS]: both pairs as one batch; the second row has one branch."""
    rows, latents = zip(*(packed(pair) for pair in PAIRS))
    stops = np.array(ends, np.int32)
    state = idle(MODEL, batch=2, length=SHAPE.length, branches=3, new_tokens=NEW_TOKENS)
    both = PackedRows(*(np.concatenate(column) for column in zip(*rows)))
    state = insert(MODEL, state, both, np.concatenate(latents), np.arange(2, dtype=np.int32), stops)
    _, done, output = advance(MODEL, state, np.int32(2), stops)
    assert done.all()
    return np.asarray(output)


def test_all_branches_at_once_equal_each_by_itself_without_a_cache(expected):
    never = -1
    tokens = generated(never)
    np.testing.assert_array_equal(np.concatenate([tokens[0], tokens[1, :1]]), expected)
    assert (tokens[1, 1:] == never).all(), "an absent branch said something"
    assert len({tuple(one) for one in expected}) == 4, "the branches must differ to prove anything"


def test_a_branch_stops_at_the_end_token_and_the_others_go_on(expected):
    end = expected[0][2]
    stops = [one.index(end) if end in one else NEW_TOKENS for one in expected]
    assert max(stops) == NEW_TOKENS, "no branch goes on"
    tokens = generated(end)
    for ours, full, stop in zip([*tokens[0], tokens[1, 0]], expected, stops):
        np.testing.assert_array_equal(ours, full[:stop] + [end] * (NEW_TOKENS - stop))


def test_any_of_several_end_tokens_stops_a_branch(expected):
    ends = [expected[0][2], expected[1][1], expected[3][4]]
    tokens = generated(*ends)
    for ours, full in zip([*tokens[0], tokens[1, 0]], expected):
        stop = min((full.index(end) for end in ends if end in full), default=NEW_TOKENS)
        kept = full[: stop + 1]
        np.testing.assert_array_equal(ours, kept + [ends[0]] * (NEW_TOKENS - len(kept)))


def test_answers_come_back_in_the_order_of_the_requests(expected):
    table = LatentTable({name: number for number, name in enumerate("abc")}, jnp.asarray(LATENTS))
    requests = [
        pair_request(table, "c", "a", "what is the main difference"),
        pair_request(table, "a", "b", "what is chopped"),
        pair_request(table, "a", "b", "YES or NO"),
        pair_request(table, "a", "b", "what"),
    ]
    answers = generate(
        MODEL,
        tokenizer(),
        requests,
        table.latents,
        new_tokens=NEW_TOKENS,
        batch_rows=2,
        branches=2,
    )
    by_pair = [tokenizer().decode(one).strip() for one in expected]
    assert not any(tokenizer().eos in one for one in expected)
    assert [one.text for one in answers] == [by_pair[3], *by_pair[:3]]
    for request, answer in zip(requests, answers):
        laid_out = lay_out(request.conversation, tokenizer(), RESAMPLER.latents)
        assert (answer.prompt_tokens, answer.new_tokens) == (laid_out.length, NEW_TOKENS)


def test_finished_rows_are_replaced_by_waiting_ones():
    """Answers of all lengths, three rows at a time, are what each is alone, in fewer steps."""
    ending = copy.copy(tokenizer())
    ending.stops = (ending.eos, *range(40, 90))
    table = LatentTable({name: number for number, name in enumerate("abc")}, LATENTS)
    words = ("what", "is chopped", "the main difference", "YES or NO", "a red onion")
    pairs = ("ab", "bc", "ca", "cb")
    requests = [pair_request(table, *pair, word) for pair in pairs for word in words]
    asked = {"new_tokens": 9, "branches": 1}
    alone = [generate(MODEL, ending, [one], LATENTS, batch_rows=1, **asked)[0] for one in requests]
    assert len({one.new_tokens for one in alone}) > 3, "all answers are equally long"
    assert {one.cut for one in alone} == {True, False}
    assert generate(MODEL, ending, requests, LATENTS, batch_rows=3, **asked) == alone

    groups = group_requests(requests, ending, LATENTS, 1)
    batch = ContinuousBatch(MODEL, ending, LATENTS, groups, batch_rows=3, **asked)
    assert batch.run() == dict(enumerate(alone))
    steps = [min(one.new_tokens, 8) for one in alone]
    one_batch_after_another = sum(max(steps[start : start + 3]) for start in range(0, 20, 3))
    assert int(batch.state.clock) < one_batch_after_another
