"""The compiled part of beam search: K continuations of each row advance in one loop.

The keys and values of step t's K tokens are written to the cache once; each beam remembers which of
a step's tokens it goes through, and sees only those, so that the cache is never reordered. Scores,
the choice of continuations and the end are those of transformers 5.23, `_beam_search`, with
`early_stopping=False`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from stepdiff_jax.inference.decoding import prefill
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.llama import KeyValues
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import constrain, on_mesh_of

IMPOSSIBLE = -1e9
"""The log-probability of what must not be chosen."""


class Beams(NamedTuple):
    """K beams of each of B rows, best first, and the K best answers that have ended; T tokens.

    step: int32, tokens that the beams have.
    tokens: int32 [B, K, T]; scores: float32 [B, K], sums of log-probabilities.
    through: int32 [B, K, T], the beam that each beam's token of a step was; -1 where it has none.
    ended_tokens, ended_scores: as tokens and scores, these divided by length ** penalty.
    ended: bool [B, K], whether there is such an answer.
    open: bool [B], whether a beam may still become better than the answers.
    """

    step: jax.Array
    tokens: jax.Array
    scores: jax.Array
    through: jax.Array
    ended_tokens: jax.Array
    ended_scores: jax.Array
    ended: jax.Array
    open: jax.Array


@on_mesh_of(lambda model: model.llama)
@partial(jax.jit, static_argnames=("beams", "new_tokens"))
def search(
    model: VCLM,
    rows: PackedRows,
    latents: jax.Array,
    ends: jax.Array,
    length_penalty: jax.Array,
    *,
    beams: int,
    new_tokens: int,
) -> tuple[jax.Array, jax.Array]:
    """The best answer to each row's one question.

    Args:
        rows: [B, L], one branch each; latents: [B, V, latents, E].
        ends: int32 [E], ids of the end tokens.
    Returns:
        tokens int32 [B, T], with an end token unless the limit of `new_tokens` ended it, followed
        by the first of `ends`; and its score, float32 [B].
    """
    read = prefill(model, rows, latents, branches=1)
    batch, length = rows.tokens.shape
    slots = ((0, 0), (0, 0), (0, beams * new_tokens), (0, 0), (0, 0))
    cache = KeyValues(*(jnp.pad(one, slots) for one in read.cache))
    prompt = jnp.broadcast_to(rows.segment[:, None] != 0, (batch, beams, length))

    def forward(state: Beams, cache: KeyValues) -> tuple[jax.Array, KeyValues]:
        """Log-probabilities of the next token, float32 [B, K, V]."""
        last = state.step - 1
        written = state.through[..., None] == jnp.arange(beams)  # [B, K, T, K]
        mask = jnp.concatenate([prompt, written.reshape(batch, beams, -1)], axis=-1)
        hidden, new = model.llama(
            model.llama.embed(jax.lax.dynamic_index_in_dim(state.tokens, last, 2, keepdims=False)),
            jnp.broadcast_to(read.position + state.step, (batch, beams)),
            mask,
            cache,
            length + last * beams,
        )
        assert new is not None
        return jax.nn.log_softmax(constrain(model.llama.logits(hidden), "rows")), new

    def step(carry: tuple[Beams, KeyValues]) -> tuple[Beams, KeyValues]:
        state, cache = carry
        following, cache = forward(state, cache)
        return extend(state, following, ends, length_penalty), cache

    def going(carry: tuple[Beams, KeyValues]) -> jax.Array:
        state, _ = carry
        return (state.step < new_tokens) & jnp.any(state.open)

    first = jax.nn.log_softmax(constrain(read.logits, "rows"))
    first = jnp.broadcast_to(first, (batch, beams, first.shape[-1]))
    begun = start(batch, beams, new_tokens, ends)
    begun = begun._replace(open=~read.absent[:, 0])
    carry = (extend(begun, first, ends, length_penalty), cache)
    found, _ = jax.lax.while_loop(going, step, carry)
    return constrain(found.ended_tokens[:, 0]), constrain(found.ended_scores[:, 0])


def start(batch: int, beams: int, new_tokens: int, ends: jax.Array) -> Beams:
    """Beams without tokens; only the first of each row may be continued, as all are equal."""
    tokens = jnp.full((batch, beams, new_tokens), ends[0], jnp.int32)
    nothing = jnp.full((batch, beams), IMPOSSIBLE, jnp.float32)
    return Beams(
        step=jnp.zeros((), jnp.int32),
        tokens=tokens,
        scores=nothing.at[:, 0].set(0.0),
        through=jnp.full((batch, beams, new_tokens), -1, jnp.int32),
        ended_tokens=tokens,
        ended_scores=nothing,
        ended=jnp.zeros((batch, beams), bool),
        open=jnp.ones((batch,), bool),
    )


def extend(state: Beams, following: jax.Array, ends: jax.Array, length_penalty: jax.Array) -> Beams:
    """Beams with one more token.

    Args:
        following: float32 [B, K, V], log-probabilities of what follows each beam.
    """
    batch, beams, new_tokens = state.tokens.shape
    total = (following + state.scores[..., None]).reshape(batch, -1)
    # As many as are needed for K that do not end, if each beam may end in every way.
    candidates = max(2, 1 + len(ends)) * beams
    scores, chosen = jax.lax.top_k(total, candidates)
    parent, token = jnp.divmod(chosen, following.shape[-1])
    now = jnp.arange(new_tokens) == state.step
    tokens = jnp.where(now, token[..., None], _taken(state.tokens, parent))
    through = _taken(state.through, parent)
    length = state.step + 1
    ends_now = jnp.isin(token, ends) | (length == new_tokens)

    running, kept = jax.lax.top_k(scores + ends_now * IMPOSSIBLE, beams)
    counts = ends_now & (jnp.arange(candidates) < beams)
    divided = scores / length.astype(jnp.float32) ** length_penalty
    divided += (~counts | ~state.open[:, None]) * IMPOSSIBLE
    ended_scores, best = jax.lax.top_k(
        jnp.concatenate([state.ended_scores, divided], axis=1), beams
    )
    ended = _taken(jnp.concatenate([state.ended, counts], axis=1), best)
    worst = jnp.where(ended, jnp.min(ended_scores, axis=1, keepdims=True), IMPOSSIBLE)
    hoped = running[:, :1] / length.astype(jnp.float32) ** length_penalty
    return Beams(
        step=length,
        tokens=_taken(tokens, kept),
        scores=running,
        through=jnp.where(now, jnp.arange(beams)[:, None], _taken(through, kept)),
        ended_tokens=_taken(jnp.concatenate([state.ended_tokens, tokens], axis=1), best),
        ended_scores=ended_scores,
        ended=ended,
        open=state.open & jnp.any(hoped > worst, axis=1),
    )


def _taken(array: jax.Array, index: jax.Array) -> jax.Array:
    """Entries [B, N, ...] of an array [B, M, ...] by index [B, N]."""
    return jnp.take_along_axis(array, index.reshape(*index.shape, *[1] * (array.ndim - 2)), 1)
