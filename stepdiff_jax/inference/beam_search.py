"""Beam search for many answers, batch by batch."""

from collections.abc import Sequence

import numpy as np

from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.inference.beams import search
from stepdiff_jax.inference.generate import Answer
from stepdiff_jax.inference.requests import Request, group_requests, latents_of, lay_out_rows
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import whole_batches


def beam_search(
    model: VCLM,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    latents: np.ndarray | None = None,
    *,
    beams: int = 4,
    new_tokens: int = 64,
    length_penalty: float = 1.0,
    batch_rows: int = 16,
) -> list[Answer]:
    """The best answer of `beams` to each request, in order; at most `new_tokens` tokens.

    Requests of similar length share a batch, which runs until no answer in it can improve.

    Args:
        latents: as for `generate`.
        length_penalty: the sum of log-probabilities is divided by length ** penalty; more than 0
            prefers longer answers.
        batch_rows: requests per batch.
    Raises:
        InputError: a request shows a clip that has no latents.
    """
    clips = latents_of(latents, model.llama.config.width)
    groups = group_requests(requests, tokenizer, latents, branches=1)
    groups.sort(key=lambda group: group.rounded_length)
    rows, ends = whole_batches(model.llama, batch_rows), np.array(tokenizer.stops, np.int32)
    videos = max(1, max((len(group.example.clips) for group in groups), default=1))
    answers: dict[int, Answer] = {}
    for start in range(0, len(groups), rows):
        batch = groups[start : start + rows]
        length = batch[-1].rounded_length
        packed, shown = lay_out_rows(
            [group.example for group in batch], rows, length, videos, clips.shape[1]
        )
        tokens, _ = search(
            model,
            packed,
            clips[shown],
            ends,
            np.float32(length_penalty),
            beams=beams,
            new_tokens=new_tokens,
        )
        for group, ids in zip(batch, np.asarray(tokens)):
            (request,) = group.requests
            answers[request] = _answer(tokenizer, group.example.length, ids, ends)
    return [answers[number] for number in range(len(requests))]


def _answer(tokenizer: Tokenizer, read: int, ids: np.ndarray, ends: np.ndarray) -> Answer:
    stops = np.flatnonzero(np.isin(ids, ends))
    length = int(stops[0]) if len(stops) else len(ids)
    text = tokenizer.decode(ids[:length].tolist()).strip()
    return Answer(text, read, length, cut=not len(stops))
