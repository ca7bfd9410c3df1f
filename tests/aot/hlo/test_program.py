"""Computations, instructions and source lines are read from a program's text."""

import jax
import jax.numpy as jnp
import pytest

from stepdiff_jax.aot.hlo.program import read_program, root

TEXT = """HloModule jit_f, is_scheduled=true

FileNames
1 "/home/me/.venv/site-packages/flax/nnx.py"
2 "/home/me/train.py"

FileLocations
1 {file_name_id=2 function_name_id=1 line=12 end_line=12 column=0 end_column=3}
2 {file_name_id=1 function_name_id=2 line=99 end_line=99 column=0 end_column=3}

StackFrames
1 {file_location_id=1 parent_frame_id=1}
2 {file_location_id=2 parent_frame_id=2}


%inner (p: bf16[8,16]) -> bf16[8,16] {
  %p = bf16[8,16]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %t = bf16[8,16]{1,0} tanh(%p)
}

ENTRY %main (a: bf16[8,16], /*index=1*/b: s32[]) -> (bf16[8,16], s32[]) {
  %a = bf16[8,16]{1,0:T(8,128)(2,1)S(1)} parameter(0)
  %seven = s32[]{:T(128)} constant(7)
  %f = bf16[8,16]{1,0} fusion(%a), kind=kLoop, calls=%inner, metadata={op_name="jit(f)/tanh" \
stack_frame_id=2}, backend_config={"window_config":{"estimated_cycles":"123","x":[]}}
  %k = bf16[8,16]{1,0} custom-call(%a), custom_call_target="x", backend_config={"body":"
} ("}
  ROOT %out = (bf16[8,16]{1,0}, s32[]) tuple(%f, /*index=1*/%seven), metadata={op_name="jit(f)" \
source_file="/home/me/old.py" source_line=5}
}
"""


def test_of_a_text():
    program = read_program(TEXT)
    assert program.entry == "main"
    assert list(program.computations) == ["inner", "main"]
    main = program.computations["main"]
    assert list(main) == ["a", "seven", "f", "k", "out"]
    fusion = main["f"]
    assert (fusion.opcode, fusion.operands, fusion.cycles) == ("fusion", ("a",), 123)
    assert (fusion.shape, fusion.op_name) == ("bf16[8,16]{1,0}", "jit(f)/tanh")
    assert list(program.inside(fusion)) == ["p", "t"]
    assert main["a"].shape == "bf16[8,16]{1,0:T(8,128)(2,1)S(1)}"
    assert main["seven"].literal == "7"
    assert main["out"].operands == ("f", "seven")
    assert root(main).name == "out"


def test_sources_are_lines_outside_installed_packages():
    main = read_program(TEXT).computations["main"]
    assert main["f"].source == "home/me/train.py:12"
    assert main["out"].source == "home/me/old.py:5"
    assert main["k"].source == ""


def test_a_line_of_the_package_is_named_with_the_line_that_asks_for_it():
    from stepdiff_jax.models.attention import attend

    def layer(x):
        return attend(x, x, x, jnp.ones((2, 8, 8), bool))

    x = jax.ShapeDtypeStruct((2, 8, 4, 16), jnp.float32)
    program = read_program(jax.jit(layer).lower(x).compile().as_text())
    sources = {
        one.source
        for computation in program.computations.values()
        for one in computation.values()
        if "dot_general" in one.op_name
    }
    assert sources
    assert all("hlo/test_program.py:" in source for source in sources)
    assert all(" > attention.py:" in source for source in sources)


def test_something_else_is_refused():
    with pytest.raises(ValueError, match="no ENTRY computation"):
        read_program("module @jit_f {}")
