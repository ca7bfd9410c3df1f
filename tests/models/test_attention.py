"""Attention: every head stays on the device that holds it, and all-masked queries stay finite."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stepdiff_jax.models.attention import attend

BATCH, LENGTH, HEADS, KV_HEADS, WIDTH = 4, 6, 8, 4, 16


def test_sharded_batch_and_heads_need_no_communication():
    mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("fsdp", "tensor"))
    sharding = NamedSharding(mesh, PartitionSpec("fsdp", None, "tensor"))
    rows = NamedSharding(mesh, PartitionSpec("fsdp"))

    def abstract(heads: int) -> jax.ShapeDtypeStruct:
        shape = (BATCH, LENGTH, heads, WIDTH)
        return jax.ShapeDtypeStruct(shape, np.float32, sharding=sharding)

    mask = jax.ShapeDtypeStruct((BATCH, LENGTH, LENGTH), bool, sharding=rows)
    arguments = (abstract(HEADS), abstract(KV_HEADS), abstract(KV_HEADS), mask)

    def both(*arguments: jax.Array) -> tuple:
        out, pullback = jax.vjp(attend, *arguments)
        return out, pullback(out)[:3]

    program = jax.jit(both, out_shardings=(sharding, (sharding,) * 3)).lower(*arguments).compile()
    text = program.as_text()
    for communication in ("all-gather", "all-to-all", "collective-permute", "all-reduce"):
        assert communication not in text


def test_a_query_that_sees_nothing_is_finite_and_others_do_not_change():
    random = np.random.default_rng(0)
    query, key, value = (
        random.normal(size=(2, LENGTH, heads, WIDTH)).astype(np.float32)
        for heads in (HEADS, KV_HEADS, KV_HEADS)
    )
    mask = np.broadcast_to(np.tri(LENGTH, dtype=bool), (2, LENGTH, LENGTH)).copy()
    run = jax.jit(attend)
    before = run(query, key, value, mask)
    mask[1, 2] = False
    after = np.asarray(run(query, key, value, mask))
    assert np.isfinite(after).all()
    others = np.ones((2, LENGTH), bool)
    others[1, 2] = False
    np.testing.assert_array_equal(after[others], np.asarray(before)[others])
