"""Likelihoods of answers that share a prefix are those of full forward passes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references.models import RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import Conversation, Text, Video, pair_prefix, question_branch
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.requests import DescriptionTable, LatentTable, Request
from stepdiff_jax.inference.score import log_likelihoods
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.vclm import VCLM

MODEL = vclm()
LATENTS = np.random.default_rng(0).normal(0, 1.5, (3, RESAMPLER.latents, 32)).astype(np.float32)
IDS = {"a": 0, "b": 1, "c": 2}
SHAPE = RowShape(length=192, videos=2, answers=0)
REQUESTS = [
    Request("a", "b", "the same?", "YES"),
    Request("c", "a", "what is the difference", "a red onion instead of a green one"),
    Request("a", "b", "what is the difference", "a red onion"),
    Request("b", "a", "the same?", "YES"),
    Request("a", "b", "what is the difference", "the person"),
    Request("a", "b", "the same?", "YES"),
]


@jax.jit
def log_probabilities(model: VCLM, rows: PackedRows, latents: jax.Array) -> jax.Array:
    """Of every token given all before it: [L - 1]."""
    everywhere = jax.nn.log_softmax(model.llama.logits(model.hidden(rows, latents)))
    return jnp.take_along_axis(everywhere[0, :-1], rows.tokens[0, 1:, None], -1)[:, 0]


def alone(request: Request, reference, candidate) -> float:
    """One request as one row, by a full forward pass over all positions."""
    branch = question_branch(request.question, Text(request.answer, 1.0))
    conversation = Conversation(pair_prefix(reference, candidate), (branch,))
    row, clips = pack_row([lay_out(conversation, tokenizer(), RESAMPLER.latents)], SHAPE, 3)
    rows = PackedRows(*(column[None] for column in row))
    length = int(np.count_nonzero(row.segment))
    answer = len(tokenizer().encode(request.answer))
    per_token = log_probabilities(MODEL, rows, LATENTS[np.maximum(clips, 0)][None])
    return float(np.sum(per_token[length - 1 - answer : length - 1]))


@pytest.mark.parametrize("branches", [1, 3])
def test_videos(branches):
    table = LatentTable(IDS, jnp.asarray(LATENTS))
    scores = log_likelihoods(MODEL, tokenizer(), table, REQUESTS, batch_rows=3, branches=branches)
    expected = [
        alone(one, Video(IDS[one.reference]), Video(IDS[one.candidate])) for one in REQUESTS
    ]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=3e-5)
    assert len(set(np.round(expected, 3))) == 5  # the last repeats the first
    assert scores.dtype == np.float32


def test_descriptions_in_the_place_of_videos():
    texts = {"a": "the person chops", "b": "onion"}
    table = DescriptionTable(texts, width=32)
    scores = log_likelihoods(MODEL, tokenizer(), table, REQUESTS[:1], batch_rows=1, branches=1)
    expected = alone(REQUESTS[0], Text(texts["a"]), Text(texts["b"]))
    np.testing.assert_allclose(scores, [expected], rtol=0, atol=3e-5)


def test_an_unknown_clip_is_named():
    with pytest.raises(InputError, match="clip 'd'"):
        requests = [Request("a", "d", "what", "YES")]
        table = LatentTable(IDS, jnp.asarray(LATENTS))
        log_likelihoods(MODEL, tokenizer(), table, requests)
