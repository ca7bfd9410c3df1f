"""Beam search without a cache, step by step, and what it has in common with greedy generation."""

import copy

import jax
import numpy as np
import pytest

from references.models import RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.inference.beam_search import beam_search
from stepdiff_jax.inference.clips import LatentTable
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import Request, pair_request

MODEL = vclm()
LATENTS = np.random.default_rng(0).normal(0, 1.5, (3, RESAMPLER.latents, 32)).astype(np.float32)
TABLE = LatentTable({name: number for number, name in enumerate("abc")}, LATENTS)
WORDS = ("what", "is chopped", "the main difference", "YES or NO", "a red onion " * 12)
REQUESTS = [pair_request(TABLE, *pair, word) for pair in ("ab", "bc", "ca") for word in WORDS]
SHAPE = RowShape(length=256, videos=2, answers=0)
NEW_TOKENS = 5


@jax.jit
def after(model, rows, latents):
    """Log-probabilities after each token, float32 [1, L, V]."""
    return jax.nn.log_softmax(model.llama.logits(model.hidden(rows, latents)))


def best_of(request: Request, beams: int) -> list[int]:
    """The most likely of the beams' answers, by whole forward passes; nothing ends them."""
    example = lay_out(request.conversation, tokenizer(), RESAMPLER.latents)
    row, clips = pack_row([example], SHAPE, RESAMPLER.latents)
    beam: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(NEW_TOKENS):
        longer = []
        for score, said in beam:
            fields = {name: np.array(column) for name, column in row._asdict().items()}
            for place, token in enumerate(said, start=example.length):
                fields["tokens"][place] = token
                fields["positions"][place] = fields["positions"][place - 1] + 1
                fields["segment"][place], fields["parent"][place] = 2, 1
            batch = type(row)(**{name: column[None] for name, column in fields.items()})
            following = after(MODEL, batch, LATENTS[clips][None])[0, example.length + len(said) - 1]
            longer += [(score + float(one), [*said, token]) for token, one in enumerate(following)]
        beam = sorted(longer, reverse=True)[:beams]
    return beam[0][1]


@pytest.fixture(scope="module")
def endless():
    """A tokenizer none of whose tokens ends an answer."""
    found = copy.copy(tokenizer())
    found.stops = (100_000,)
    return found


@pytest.mark.parametrize("beams", [2, 3])
def test_the_answer_is_the_best_of_all_beams_without_a_cache(beams, endless):
    requests = REQUESTS[:4]
    found = beam_search(MODEL, endless, requests, LATENTS, beams=beams, new_tokens=NEW_TOKENS)
    expected = [best_of(one, beams) for one in requests]
    assert [one.text for one in found] == [endless.decode(ids).strip() for ids in expected]
    assert all(one.cut and one.new_tokens == NEW_TOKENS for one in found)
    greedy = generate(MODEL, endless, requests, LATENTS, new_tokens=NEW_TOKENS)
    assert greedy != found, "the beams made no difference"


def test_one_beam_is_greedy(endless):
    ending = copy.copy(tokenizer())
    ending.stops = (ending.eos, *range(40, 90))
    for stops in (endless, ending):
        found = beam_search(MODEL, stops, REQUESTS, LATENTS, beams=1, new_tokens=7)
        assert found == generate(MODEL, stops, REQUESTS, LATENTS, new_tokens=7)


def test_answers_do_not_depend_on_what_is_asked_beside_them():
    ending = copy.copy(tokenizer())
    ending.stops = (ending.eos, *range(40, 140))
    options = {"beams": 3, "new_tokens": 8}
    alone = [beam_search(MODEL, ending, [one], LATENTS, **options)[0] for one in REQUESTS]
    assert len({one.new_tokens for one in alone}) > 2, "all answers are equally long"
    assert beam_search(MODEL, ending, REQUESTS, LATENTS, batch_rows=4, **options) == alone


def test_nothing_asked_is_nothing_answered():
    assert beam_search(MODEL, tokenizer(), [], None, beams=2) == []
