"""A key-value cache changes nothing: prefill and single steps equal one full forward pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references.llama import CASES, LENGTH, POSITIONS, TOKENS, positions
from references.models import llama
from stepdiff_jax.layout import PackedRows, attention_mask
from stepdiff_jax.models.llama import KeyValues, Llama, empty_cache

CAPACITY = LENGTH + 3
PREFILL = 5


def rows(segment: list[int], parent: list[int]) -> PackedRows:
    """`TOKENS` at `POSITIONS`, every row with these segments."""
    spread = [
        np.broadcast_to(np.array(column, np.int32), TOKENS.shape) for column in (segment, parent)
    ]
    nothing = np.full_like(TOKENS, -1)
    return PackedRows(TOKENS, nothing, POSITIONS, *spread, np.zeros(TOKENS.shape, np.float32))


PLAIN = rows([1] * LENGTH, [0] * LENGTH)
PACKED = rows([1, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 0], [0, 0, 0, 1, 1, 1, 0, 0, 4, 4, 4, 0])


@jax.jit
def continued(
    model: Llama,
    embeddings: jax.Array,
    positions: jax.Array,
    mask: jax.Array,
    cache: KeyValues,
    slot: jax.Array,
) -> tuple[jax.Array, KeyValues]:
    return model(embeddings, positions, mask, cache, slot)


@pytest.mark.parametrize("case", ["grouped_query", "llama3_tied"])
@pytest.mark.parametrize("layout", [PLAIN, PACKED], ids=["plain", "packed"])
def test_prefill_and_steps_equal_one_pass(layout, case):
    model = llama(CASES[case])
    layout = layout._replace(positions=positions(model.config))
    embeddings = model.embed(layout.tokens)
    mask = np.asarray(attention_mask(layout, layout))
    full, no_cache = jax.jit(Llama.__call__)(model, embeddings, layout.positions, mask)
    assert no_cache is None

    # What stands in unwritten slots must not matter.
    cache = jax.tree.map(
        lambda zeros: zeros + 7.0, empty_cache(model.config, len(TOKENS), CAPACITY)
    )
    wide = np.pad(mask, ((0, 0), (0, 0), (0, CAPACITY - LENGTH)))
    pieces = []
    for start, stop in [(0, PREFILL), *((i, i + 1) for i in range(PREFILL, LENGTH))]:
        part = np.s_[:, start:stop]
        hidden, cache = continued(
            model, embeddings[part], layout.positions[part], wide[part], cache, jnp.asarray(start)
        )
        pieces.append(hidden)
    present = layout.segment > 0
    cached = np.concatenate(pieces, axis=1)
    np.testing.assert_allclose(cached[present], np.asarray(full)[present], rtol=0, atol=2e-5)
    for array in cache:
        assert (array[:, :, LENGTH:] == 7.0).all(), "a slot behind the sequence was written"
