"""Collectives are read from a program's text."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from stepdiff_jax.aot.collectives import Collective, collectives
from stepdiff_jax.aot.report import out_of_memory
from stepdiff_jax.config import MeshConfig
from stepdiff_jax.sharding import make_mesh


def test_async_pairs_count_once_and_by_their_result():
    text = """
  %g = (bf16[8,16]{1,0}, bf16[64,16]{1,0}) all-gather-start(bf16[8,16] %x), dimensions={0}
  %d = bf16[64,16]{1,0} all-gather-done((bf16[8,16], bf16[64,16]) %g)
  ROOT %r = f32[10]{0} all-reduce(f32[10] %y), to_apply=%add
  %q = f32[10]{0} add(f32[10] %all-reduce.1, f32[10] %r)
"""
    assert collectives(text) == [
        Collective("all-gather", 1, 64 * 16 * 2),
        Collective("all-reduce", 1, 40),
    ]


def test_of_a_compiled_program():
    mesh = make_mesh(MeshConfig())
    rows = NamedSharding(mesh, P("fsdp"))
    x = jax.ShapeDtypeStruct((8, 4), jnp.float32, sharding=rows)

    @partial(jax.jit, out_shardings=NamedSharding(mesh, P()))
    def whole(x: jax.Array) -> jax.Array:
        return x * 2

    (found,) = collectives(whole.lower(x).compile().as_text())
    assert (found.kind, found.bytes) == ("all-gather", 8 * 4 * 4)


@pytest.mark.parametrize(
    "message, line",
    [
        ("E1000: HbmOom: Ran out of memory on HBM (16.4G) of 15.75G.\nSee", "Ran out of memory on"),
        ("INTERNAL: something else", ""),
    ],
)
def test_only_a_lack_of_memory_is_an_answer(message, line):
    assert out_of_memory(message).startswith(line)
    assert bool(out_of_memory(message)) == bool(line)
