"""Likelihoods of answers that share a prefix are those of full forward passes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references.models import RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import Conversation, Text, Video, single_conversation
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.clips import ClipTable, DescriptionTable, LatentTable
from stepdiff_jax.inference.requests import Request, batch_requests, pair_request
from stepdiff_jax.inference.score import log_likelihoods
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


def test_requests_of_equal_prefix_share_a_row():
    requests = [pair_request(VIDEOS, *one) for one in ASKED]
    batches = batch_requests(
        requests, tokenizer(), VIDEOS.latents, width=32, batch_rows=4, branches=3
    )
    rows = [list(row[row >= 0]) for batch in batches for row in batch.requests if row[0] >= 0]
    assert sorted(rows) == [[0, 2, 4], [1], [3], [5]]


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
