"""FLOPs of products: by their shapes on CPU, and as the windows that libtpu writes."""

import jax
import jax.numpy as jnp
import pytest

from stepdiff_jax.aot.hlo.products import product_flops
from stepdiff_jax.aot.hlo.program import read_program


def flops(text):
    program = read_program(text)
    entry = program.computations[program.entry]
    return sum(product_flops(one, entry, program) for one in entry.values())


def convolution(left, right, result, attributes):
    return f"""
ENTRY %main (x: bf16[{left}], w: bf16[{right}]) -> bf16[{result}] {{
  %x = bf16[{left}] parameter(0)
  %w = bf16[{right}] parameter(1)
  ROOT %y = bf16[{result}] convolution(%x, %w), {attributes}
}}
"""


@pytest.mark.parametrize(
    "text, expected",
    [
        (convolution("6,5", "5,7", "6,7", "dim_labels=bf_io->bf"), 2 * 6 * 5 * 7),
        # Heads of the result as a window that slides over one row: "embed, heads x width".
        (
            convolution(
                "1,6,5", "4,3,5", "6,4,3", "window={size=4 pad=3_3 rhs_reversal=1}, "
                "dim_labels=0bf_0oi->b0f",
            ),
            2 * 6 * 5 * 12,
        ),
        # Batch and heads as a window that meets its data at one place.
        (
            convolution(
                "2,8,6,5", "2,8,7,5", "2,8,6,7",
                "window={size=2x8 stride=1x7 lhs_dilate=2x8}, dim_labels=01bf_01oi->01bf",
            ),
            2 * 2 * 8 * 6 * 5 * 7,
        ),
    ],
)  # fmt: skip
def test_as_libtpu_writes_them(text, expected):
    assert flops(text) == expected


def test_of_a_compiled_program():
    def run(x, w, v):
        return jnp.einsum("bij,bjk->bik", x, w).astype(jnp.float32) @ v

    shapes = ((3, 16, 32), (3, 32, 64), (64, 128))
    text = jax.jit(run).lower(*(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes)).compile()
    assert flops(text.as_text()) == 2 * 3 * 16 * (32 * 64 + 64 * 128)
