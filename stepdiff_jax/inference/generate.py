"""Greedy generation: one prefill, then one compiled loop over all branches of all rows."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.inference.requests import Request, batch_requests
from stepdiff_jax.layout import Array, PackedRows, attention_mask, segments_visible
from stepdiff_jax.models.llama import KeyValues, empty_cache
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import constrain, on_its_mesh


class _Decoding(NamedTuple):
    """The loop's state; S branches per row, at most T new tokens, C = L + S * T cache slots."""

    step: jax.Array
    token: jax.Array  # [B, S], the newest
    done: jax.Array  # bool [B, S]
    output: jax.Array  # [B, S, T]
    cache: KeyValues
    key_segment: jax.Array  # [B, C], 0 where the cache is empty


@on_its_mesh
@partial(jax.jit, static_argnames=("branches", "new_tokens"))
def generate_tokens(
    model: VCLM,
    rows: PackedRows,
    latents: jax.Array,
    *,
    branches: int,
    new_tokens: int,
    ends: Array,
) -> jax.Array:
    """Continue every branch of rows that hold one conversation each.

    All branches of a row advance together and share the prefix's keys and values: branch s of a
    row is segment s + 2, and its t-th token goes to cache slot L + t * S + s.

    Args:
        rows: [B, L]; latents: [B, V, latents, E].
        ends: int32 [E], ids of the end tokens; a branch stops at any of them.
    Returns:
        int32 [B, branches, new_tokens]; after an end token, and for absent branches, the first of
        `ends`.
    """
    batch, length = rows.tokens.shape
    capacity = length + branches * new_tokens
    widened = ((0, 0), (0, 0), (0, capacity - length))
    hidden, cache = model.llama(
        model.embed(rows, latents),
        rows.positions,
        jnp.pad(attention_mask(rows, rows), widened),
        empty_cache(model.llama.config, batch, capacity),
    )
    assert cache is not None
    segment = jnp.broadcast_to(jnp.arange(2, branches + 2), (batch, branches))
    parent = jnp.ones_like(segment)
    belongs = rows.segment[:, None] == segment[..., None]
    last = jnp.max(jnp.where(belongs, jnp.arange(length), -1), axis=-1)
    absent = last < 0
    last = jnp.maximum(last, 0)
    position = jnp.take_along_axis(rows.positions, last, 1)
    logits = model.llama.logits(jnp.take_along_axis(hidden, last[..., None], 1))

    def record(state: _Decoding, logits: jax.Array) -> _Decoding:
        token = jnp.where(state.done, ends[0], jnp.argmax(logits, -1))
        return state._replace(
            token=token,
            done=state.done | jnp.isin(token, ends),
            output=state.output.at[:, :, state.step].set(token),
        )

    def advance(state: _Decoding) -> _Decoding:
        slot = length + state.step * branches
        key_segment = jax.lax.dynamic_update_slice_in_dim(state.key_segment, segment, slot, 1)
        hidden, cache = model.llama(
            model.llama.embed(state.token),
            position + 1 + state.step,
            segments_visible(segment, parent, key_segment),
            state.cache,
            slot,
        )
        assert cache is not None
        moved = state._replace(step=state.step + 1, cache=cache, key_segment=key_segment)
        return record(moved, model.llama.logits(hidden))

    def unfinished(state: _Decoding) -> jax.Array:
        return (state.step < new_tokens - 1) & ~jnp.all(state.done)

    start = _Decoding(
        step=jnp.zeros((), jnp.int32),
        token=jnp.zeros((batch, branches), jnp.int32),
        done=absent,
        output=jnp.full((batch, branches, new_tokens), ends[0], jnp.int32),
        cache=cache,
        key_segment=jnp.pad(rows.segment, ((0, 0), (0, capacity - length))),
    )
    return constrain(jax.lax.while_loop(unfinished, advance, record(start, logits)).output)


class Answer(NamedTuple):
    """A generated answer, and how many tokens were read and written for it.

    prompt_tokens: tokens of the conversation up to the answer, latents included.
    new_tokens: tokens of the answer, without the end token.
    """

    text: str
    prompt_tokens: int
    new_tokens: int


def generate(
    model: VCLM,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    latents: jax.Array | None = None,
    *,
    new_tokens: int = 64,
    batch_rows: int = 16,
    branches: int = 4,
) -> list[Answer]:
    """The greedy answer to each request, in order; at most `new_tokens` tokens.

    Args:
        latents: [clips, latents, E] of the clips that the requests show; None for text alone.
        batch_rows: rows per batch; branches: how many requests of equal prefix may share a row.
    Raises:
        InputError: a request shows a clip that has no latents.
    """
    answers: dict[int, Answer] = {}
    ends = np.array(tokenizer.stops, np.int32)
    for batch in batch_requests(
        requests,
        tokenizer,
        latents,
        width=model.llama.config.width,
        batch_rows=batch_rows,
        branches=branches,
    ):
        tokens = np.asarray(
            generate_tokens(
                model,
                batch.rows,
                batch.latents,
                branches=branches,
                new_tokens=new_tokens,
                ends=ends,
            )
        )
        for row, branch in np.argwhere(batch.requests >= 0):
            ids = tokens[row, branch]
            ids = ids[: _length(ids, ends)]
            # Segment 1 is the prefix; the branches follow.
            read = np.isin(batch.rows.segment[row], (1, branch + 2))
            answers[batch.requests[row, branch]] = Answer(
                tokenizer.decode(ids.tolist()).strip(), int(read.sum()), len(ids)
            )
    return [answers[number] for number in range(len(requests))]


def _length(ids: np.ndarray, ends: np.ndarray) -> int:
    stops = np.flatnonzero(np.isin(ids, ends))
    return int(stops[0]) if len(stops) else len(ids)
