"""Likelihoods of answers that share a prefix are those of full forward passes."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references.models import RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import Conversation, Text, Video, single_conversation
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.clips import ClipTable, DescriptionTable, LatentTable
from stepdiff_jax.inference.requests import Request, pair_request
from stepdiff_jax.inference.score import answer_likelihoods, cheapest_rows, log_likelihoods
from stepdiff_jax.inference.tree import Forest, fill_rows
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.vclm import VCLM

MODEL = vclm()
LATENTS = np.random.default_rng(0).normal(0, 1.5, (3, RESAMPLER.latents, 32)).astype(np.float32)
VIDEOS = LatentTable({"a": 0, "b": 1, "c": 2}, jnp.asarray(LATENTS))
SHAPE = RowShape(length=192, videos=3, answers=0)
ASKED = [
    ("a", "b", "the same?", "YES"),
    ("c", "a", "what is the difference", "a red onion instead of a green one"),
    ("a", "b", "what is the difference", "a red onion"),
    ("b", "a", "the same?", "YES"),
    ("a", "b", "what is the difference", "the person"),
    ("a", "b", "the same?", "YES"),
]


@jax.jit
def log_probabilities(model: VCLM, rows: PackedRows, latents: jax.Array) -> jax.Array:
    """Of every token given all before it: [L - 1]."""
    everywhere = jax.nn.log_softmax(model.llama.logits(model.hidden(rows, latents)))
    return jnp.take_along_axis(everywhere[0, :-1], rows.tokens[0, 1:, None], -1)[:, 0]


def alone(request: Request) -> float:
    """One request as one row, by a full forward pass over all positions."""
    conversation = Conversation(request.conversation.prefix, (request.branch,))
    row, clips = pack_row([lay_out(conversation, tokenizer(), RESAMPLER.latents)], SHAPE, 3)
    rows = PackedRows(*(column[None] for column in row))
    length = int(np.count_nonzero(row.segment))
    answer = len(tokenizer().encode(request.answer))
    per_token = log_probabilities(MODEL, rows, LATENTS[np.maximum(clips, 0)][None])
    return float(np.sum(per_token[length - 1 - answer : length - 1]))


def scored(requests: list[Request], table: ClipTable, **options: int) -> np.ndarray:
    return log_likelihoods(MODEL, tokenizer(), requests, table.latents, **options)


@pytest.mark.parametrize("row_tokens", [1, 130, 512])
def test_pairs_of_videos(row_tokens):
    requests = [pair_request(VIDEOS, *one) for one in ASKED]
    scores = scored(requests, VIDEOS, batch_rows=3, row_tokens=row_tokens)
    expected = [alone(one) for one in requests]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=3e-5)
    assert len(set(np.round(expected, 3))) == 5  # the last repeats the first
    assert scores.dtype == np.float32


def test_any_number_of_videos_in_one_batch():
    """None, one in AnyMAL's words, two, and three between plain text."""
    several = (Text("Videos:"), Video(2), Text("and"), Video(0), Text("and"), Video(1))
    asked = [
        Conversation((Text("a helpful assistant"),), ((Text("what is chopped?"),),)),
        single_conversation(1, [("what is chopped?", None)]),
        pair_request(VIDEOS, "b", "a", "what is chopped?").conversation,
        Conversation(several, ((Text("what is chopped?"),),)),
    ]
    requests = [Request(one, "a red onion") for one in asked]
    requests += [Request(one, "the person") for one in asked]
    scores = scored(requests, VIDEOS, batch_rows=2)
    expected = [alone(one) for one in requests]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=3e-5)
    assert len(set(np.round(expected, 3))) == 8


def test_what_requests_begin_with_is_read_once():
    """A reference for its candidates, a pair for its questions, a question for its answers."""
    asked = [
        ("a", candidate, question, answer)
        for question in ("the same?", "what is the difference")
        for answer in ("YES", "a red onion")
        for candidate in "bc"
    ]
    requests = [pair_request(VIDEOS, *one) for one in asked]
    (row,) = fill_rows(Forest(requests, tokenizer(), RESAMPLER.latents), 512)
    shown = [node.tokens.clip for node in row.nodes if node.tokens.clip >= 0]
    assert shown == [0, 1, 2]
    texts = [tokenizer().decode(node.tokens.ids.tolist()) for node in row.nodes]
    assert sum("the same?" in text for text in texts) == 2  # once for each pair
    expected = [alone(one) for one in requests]
    scores = scored(requests, VIDEOS, batch_rows=1)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=3e-5)
    shuffled = [5, 2, 7, 0, 3, 6, 1, 4]
    again = scored([requests[one] for one in shuffled], VIDEOS, batch_rows=2, row_tokens=200)
    np.testing.assert_allclose(again, scores[shuffled], rtol=0, atol=3e-5)


def test_rows_are_longer_where_attention_costs_less():
    """Of a wide model's operations, attention is few: more questions share a row."""
    narrow, pairs = MODEL.llama.config, [("a", "b", f"the same {n}?", "YES") for n in range(200)]
    requests = [pair_request(VIDEOS, *one) for one in pairs]
    forest = Forest(requests, tokenizer(), RESAMPLER.latents)
    wide = replace(narrow, width=64 * narrow.width, mlp_width=64 * narrow.mlp_width)
    short, long = (cheapest_rows(forest, llama) for llama in (narrow, wide))
    assert len(long) < len(short)
    assert sorted(leaf.requests for row in long for leaf in row.leaves) == [[n] for n in range(200)]


def test_the_mean_is_per_token():
    requests = [pair_request(VIDEOS, *one) for one in ASKED[:2]]
    for one, request in zip(answer_likelihoods(MODEL, tokenizer(), requests, LATENTS), requests):
        assert one.tokens == len(tokenizer().encode(request.answer))
        assert one.mean == pytest.approx(alone(request) / one.tokens, abs=3e-5)


def test_an_answer_is_needed():
    with pytest.raises(ValueError, match="request 0 has no answer"):
        scored([pair_request(VIDEOS, "a", "b", "the same?")], VIDEOS)


def test_text_alone_needs_no_latents():
    conversation = Conversation((Text("a helpful assistant"),), ((Text("which?"),),))
    requests = [Request(conversation, "a red onion")]
    scores = log_likelihoods(MODEL, tokenizer(), requests, batch_rows=1)
    np.testing.assert_allclose(scores, [alone(requests[0])], rtol=0, atol=3e-5)


def test_descriptions_in_the_place_of_videos():
    table = DescriptionTable({"a": "the person chops", "b": "onion"})
    requests = [pair_request(table, *ASKED[0])]
    assert Text("the person chops") in requests[0].conversation.prefix
    scores = scored(requests, table, batch_rows=1)
    np.testing.assert_allclose(scores, [alone(requests[0])], rtol=0, atol=3e-5)


@pytest.mark.parametrize("table", [VIDEOS, DescriptionTable({"a": "the person chops"})])
def test_an_unknown_clip_is_named(table):
    with pytest.raises(InputError, match="clip 'd'"):
        pair_request(table, "a", "d", "what", "YES")


def test_a_video_without_latents_is_refused():
    request = pair_request(VIDEOS, "a", "c", "what", "YES")
    for latents, clips in ((None, 0), (VIDEOS.latents[:2], 2)):
        with pytest.raises(InputError, match=f"shows clip 2 of {clips} clips"):
            log_likelihoods(MODEL, tokenizer(), [request], latents)
