"""The compiled parts of greedy generation: rows come in, and all of them advance together.

A row holds one conversation: its prefix and up to S branches, which share the prefix's keys and
values. Token t of all rows' branches goes to the same cache slots, so a row that begins later than
others uses the slots round the end; what an earlier row left there is hidden.
"""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.layout import PackedRows, attention_mask, segments_visible
from stepdiff_jax.models.llama import KeyValues, empty_cache
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import constrain, mesh_of, on_mesh_of, rules_of

PREFIX, FIRST_BRANCH = 1, 2
"""Segments of a row."""


class State(NamedTuple):
    """B rows of at most L tokens, S branches each, T new tokens at most; C = L + S * T slots.

    clock: int32, steps made; slots of step t begin at L + (t mod T) * S.
    age: int32 [B], tokens that the row's branches have; T when it is idle.
    token: int32 [B, S], the newest; position: int32 [B, S], its rotary position.
    done: bool [B, S]; output: int32 [B, S, T].
    cache: C tokens per row; key_segment: int32 [B, C], 0 where nothing may be seen.
    """

    clock: jax.Array
    age: jax.Array
    token: jax.Array
    position: jax.Array
    done: jax.Array
    output: jax.Array
    cache: KeyValues
    key_segment: jax.Array


_ROWS = ("rows",)
_CACHE = ("layers", "rows", None, "kv_heads")
_AXES: Any = State((), _ROWS, _ROWS, _ROWS, _ROWS, _ROWS, KeyValues(_CACHE, _CACHE), _ROWS)  # type: ignore[arg-type]
"""Logical axes of a state. It is laid out so before and after each call: another layout would be
another program to compile."""


def _is_axes(node: Any) -> bool:
    return isinstance(node, tuple) and not hasattr(node, "_fields")


def _laid_out(state: State) -> State:
    return jax.tree.map(lambda axes, x: constrain(x, *axes), _AXES, state, is_leaf=_is_axes)


def idle(model: VCLM, *, batch: int, length: int, branches: int, new_tokens: int) -> State:
    """A state whose rows are all done, on the language model's mesh."""
    shape = (model.llama.config, batch, length, branches, new_tokens)
    return _idle_on(mesh_of(model.llama), *shape)()


def state_layout(mesh: Mesh) -> State:
    """Shardings of a state on a mesh for inference."""
    rules = rules_of(mesh)
    return jax.tree.map(lambda axes: NamedSharding(mesh, rules.spec(axes)), _AXES, is_leaf=_is_axes)


@lru_cache(maxsize=64)
def _idle_on(mesh: Mesh | None, *shape: Any) -> Any:
    # The cache is large: it must never be whole on one device.
    layout = None if mesh is None else state_layout(mesh)
    return jax.jit(partial(idle_state, *shape), out_shardings=layout)


def idle_state(
    config: LlamaConfig, batch: int, length: int, branches: int, new_tokens: int
) -> State:
    """The arrays of `idle`."""
    capacity = length + branches * new_tokens
    integers = partial(jnp.zeros, dtype=jnp.int32)
    return State(
        clock=integers(()),
        age=jnp.full((batch,), new_tokens, jnp.int32),
        token=integers((batch, branches)),
        position=integers((batch, branches)),
        done=jnp.ones((batch, branches), bool),
        output=integers((batch, branches, new_tokens)),
        cache=empty_cache(config, batch, capacity),
        key_segment=integers((batch, capacity)),
    )


class Prefilled(NamedTuple):
    """Rows that were read, [B, L], and what follows them.

    cache: of L tokens. position: int32 [B, S], of each branch's last token. absent: bool [B, S].
    logits: float32 [B, S, vocabulary], of the first token of each answer.
    """

    cache: KeyValues
    position: jax.Array
    absent: jax.Array
    logits: jax.Array


def prefill(model: VCLM, rows: PackedRows, latents: jax.Array, branches: int) -> Prefilled:
    """Read rows [B, L] with their latents [B, V, latents, E]; traced on the model's mesh."""
    batch, length = rows.tokens.shape
    hidden, cache = model.llama(
        model.embed(rows, latents),
        rows.positions,
        attention_mask(rows, rows),
        empty_cache(model.llama.config, batch, length),
    )
    assert cache is not None
    segment = jnp.arange(FIRST_BRANCH, FIRST_BRANCH + branches)
    belongs = rows.segment[:, None] == segment[:, None]
    last = jnp.max(jnp.where(belongs, jnp.arange(length), -1), axis=-1)
    absent, last = last < 0, jnp.maximum(last, 0)
    logits = model.llama.logits(jnp.take_along_axis(hidden, last[..., None], 1))
    position = jnp.take_along_axis(rows.positions, last, 1)
    return Prefilled(cache, position, absent, constrain(logits, "rows", None, "vocab"))


@on_mesh_of(lambda model: model.llama)
@partial(jax.jit, donate_argnames=("state",))
def insert(
    model: VCLM,
    state: State,
    rows: PackedRows,
    latents: jax.Array,
    where: jax.Array,
    ends: jax.Array,
) -> State:
    """Put new rows [R, L] in the place of others, with the first token of each branch.

    Args:
        where: int32 [R], the rows that they replace; B or more for none.
        ends: int32 [E], ids of the end tokens.
    """
    branches, new_tokens = state.output.shape[1:]
    length = rows.tokens.shape[1]
    read = prefill(model, rows, latents, branches)
    token = jnp.where(read.absent, ends[0], jnp.argmax(read.logits, -1)).astype(jnp.int32)
    output = jnp.full((*token.shape, new_tokens), ends[0], jnp.int32).at[:, :, 0].set(token)
    empty = ((0, 0), (0, state.key_segment.shape[1] - length))

    def put(old: jax.Array, new: jax.Array) -> jax.Array:
        return old.at[where].set(new, mode="drop")

    placed = State(
        clock=state.clock,
        age=put(state.age, jnp.ones_like(where)),
        token=put(state.token, token),
        position=put(state.position, read.position + 1),
        done=put(state.done, read.absent | jnp.isin(token, ends) | (new_tokens == 1)),
        output=put(state.output, output),
        cache=KeyValues(
            *(
                old.at[:, where, :length].set(new, mode="drop")
                for old, new in zip(state.cache, read.cache)
            )
        ),
        key_segment=put(state.key_segment, jnp.pad(rows.segment, empty)),
    )
    return _laid_out(placed)


@on_mesh_of(lambda model: model.llama)
@partial(jax.jit, donate_argnames=("state",))
def advance(
    model: VCLM, state: State, enough: jax.Array, ends: jax.Array
) -> tuple[State, jax.Array, jax.Array]:
    """Generate until at least `enough` rows are done.

    Args:
        enough: int32, at most the number of rows.
    Returns:
        the state; bool [B], which rows are done; and the state's output, int32 [B, S, T]: after an
        end token, and for absent branches, the first of `ends`.
    """
    batch, branches, new_tokens = state.output.shape
    length = state.key_segment.shape[1] - branches * new_tokens
    segment = jnp.broadcast_to(jnp.arange(FIRST_BRANCH, FIRST_BRANCH + branches), (batch, branches))
    parent = jnp.full_like(segment, PREFIX)

    def step(state: State) -> State:
        slot = length + state.clock % new_tokens * branches
        key_segment = jax.lax.dynamic_update_slice_in_dim(state.key_segment, segment, slot, 1)
        hidden, cache = model.llama(
            model.llama.embed(state.token),
            state.position,
            segments_visible(segment, parent, key_segment),
            state.cache,
            slot,
        )
        assert cache is not None
        logits = constrain(model.llama.logits(hidden), "rows", None, "vocab")
        token = jnp.where(state.done, ends[0], jnp.argmax(logits, -1)).astype(jnp.int32)
        now = jnp.arange(new_tokens) == state.age[:, None, None]
        age = jnp.minimum(state.age + 1, new_tokens)
        return State(
            clock=state.clock + 1,
            age=age,
            token=token,
            position=state.position + 1,
            done=state.done | jnp.isin(token, ends) | (age == new_tokens)[:, None],
            output=jnp.where(now, token[..., None], state.output),
            cache=cache,
            key_segment=key_segment,
        )

    def unfinished(state: State) -> jax.Array:
        return jnp.sum(jnp.all(state.done, -1)) < enough

    state = _laid_out(jax.lax.while_loop(unfinished, step, state))
    return state, constrain(jnp.all(state.done, -1)), constrain(state.output)
