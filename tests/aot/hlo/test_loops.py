"""Trip counts: of loops that XLA writes down, of counted loops; none of loops that end early."""

import jax
import jax.numpy as jnp
import pytest

from stepdiff_jax.aot.hlo.loops import trip_count
from stepdiff_jax.aot.hlo.program import read_program


def counted(*, start=0, step=1, limit=8, direction="LT", operation="add", swapped=False, attr=""):
    """A program with one loop that counts."""
    sides = "%limit, %c" if swapped else "%c, %limit"
    return f"""
%body (s: (s32[], f32[4])) -> (s32[], f32[4]) {{
  %s = (s32[], f32[4]{{0}}) parameter(0)
  %i = s32[] get-tuple-element(%s), index=0
  %by = s32[] constant({step})
  %by2 = s32[] copy(%by)
  %next = s32[] {operation}(%i, %by2)
  %x = f32[4]{{0}} get-tuple-element(%s), index=1
  ROOT %t = (s32[], f32[4]{{0}}) tuple(%next, %x)
}}

%condition (q: (s32[], f32[4])) -> pred[] {{
  %q = (s32[], f32[4]{{0}}) parameter(0)
  %c = s32[] get-tuple-element(%q), index=0
  %limit = s32[] constant({limit})
  ROOT %less = pred[] compare({sides}), direction={direction}
}}

ENTRY %main (x: f32[4]) -> (s32[], f32[4]) {{
  %x = f32[4]{{0}} parameter(0)
  %start = s32[] constant({start})
  %state = (s32[], f32[4]{{0}}) tuple(%start, %x)
  ROOT %w = (s32[], f32[4]{{0}}) while(%state), condition=%condition, body=%body{attr}
}}
"""


def trips(text):
    program = read_program(text)
    (found,) = [
        trip_count(one, computation, program)
        for computation in program.computations.values()
        for one in computation.values()
        if one.opcode == "while"
    ]
    return found


@pytest.mark.parametrize(
    "loop, expected",
    [
        ({}, 8),
        ({"start": 3}, 5),
        ({"step": 2}, 4),  # a ring whose body is two steps
        ({"step": 3}, 3),
        ({"direction": "LE"}, 9),
        ({"start": 9}, 0),
        ({"direction": "GT", "swapped": True}, 8),
        ({"start": 8, "limit": 0, "step": -1, "direction": "GT"}, 8),
        ({"start": 7, "limit": 0, "operation": "subtract", "direction": "GE"}, 8),
        ({"step": 0}, None),
        ({"direction": "EQ"}, None),
        ({"start": 1, "attr": ', backend_config={"known_trip_count":{"n":"5"}}'}, 5),
    ],
)
def test_counted_loops(loop, expected):
    assert trips(counted(**loop)) == expected


def test_a_limit_in_the_state_counts_if_the_body_passes_it_on():
    text = counted().replace("f32[4]{0}", "s32[]").replace("f32[4]", "s32[]")
    text = text.replace(
        "%limit = s32[] constant(8)", "%limit = s32[] get-tuple-element(%q), index=1"
    )
    text = text.replace("%x = s32[] parameter(0)", "%x = s32[] constant(6)")
    assert trips(text) == 6
    assert trips(text.replace("tuple(%next, %x)", "tuple(%next, %next)")) is None


def test_a_loop_that_starts_from_an_argument_is_not_counted():
    text = counted().replace("%start = s32[] constant(0)", "%start = s32[] parameter(1)")
    assert trips(text) is None


@pytest.mark.parametrize("early, expected", [(False, 7), (True, None)])
def test_of_a_compiled_program(early, expected):
    def again(state):
        step, x = state
        return (step < 7) & ~(early & (x.sum() > 100))

    def run(x):
        return jax.lax.while_loop(again, lambda state: (state[0] + 1, jnp.sin(state[1])), (0, x))

    assert trips(jax.jit(run).lower(jnp.ones(8)).compile().as_text()) == expected
