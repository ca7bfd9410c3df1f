"""Each second of a schedule by arithmetic: core, links and copies side by side, loops times trips.

The chip of these tests does 1,000 cycles and moves 1,000 bytes a second on each link and to memory,
and has a peak of 10,000 FLOPs a second: a group of two gathers 4,000 bytes in two seconds.
"""

import pytest

from stepdiff_jax.aot.cost import Moved
from stepdiff_jax.aot.hlo.program import read_program
from stepdiff_jax.aot.links import Links
from stepdiff_jax.aot.schedule import program_cost
from stepdiff_jax.aot.topology import Chip

CHIP = Chip(1, 1e3, 1e4, 1e3, 1e3, 16, None, ())

GATHERED = "f32[1000]{0}"
GROUPS = "channel_id={channel}, replica_groups={{{{0,1}}}}, dimensions={{0}}"


def cost(body, *computations):
    text = "\n".join(computations) + f"\nENTRY %main (x: f32[500]) -> f32[] {{\n{body}\n}}\n"
    return program_cost(read_program(text), Links(CHIP, (2, 1), [(0, 0), (1, 0)]))


def compute(name, cycles, source=""):
    return (
        f'  %{name} = f32[] add(%x, %x), metadata={{op_name="jit(f)/{name}" {source}}}, '
        f'backend_config={{"estimated_cycles":"{cycles}"}}'
    )


def gather(name, suffix="", operand="x", channel=1):
    shape = f"(f32[500]{{0}}, {GATHERED})" if suffix == "-start" else GATHERED
    return f"  %{name} = {shape} all-gather{suffix}(%{operand}), {GROUPS.format(channel=channel)}"


def figures(found):
    return pytest.approx((found.compute, found.waits, found.copies))


def test_instructions_add_up():
    found = cost("\n".join([compute("a", 500), compute("b", 250), compute("a2", 0)]))
    assert figures(found) == (0.75, 0, 0)
    assert found.seconds == 0.75
    assert found.lines == {("", "a"): 0.5, ("", "b"): 0.25}


def test_a_collective_that_is_not_started_ahead_stops_the_core():
    found = cost("\n".join([compute("a", 500), gather("g"), compute("b", 500)]))
    assert figures(found) == (1, 2, 0)
    assert found.collectives == {"all-gather": Moved(1, 4000, 2.0)}
    assert found.lines["", "all-gather"] == 2.0


@pytest.mark.parametrize("cycles, exposed", [(500, 1.5), (2000, 0), (3000, 0)])
def test_a_started_collective_waits_for_what_compute_leaves(cycles, exposed):
    body = [gather("s", "-start"), compute("a", cycles), gather("d", "-done", "s")]
    found = cost("\n".join(body))
    assert figures(found) == (cycles / 1e3, exposed, 0)
    assert found.collectives == {"all-gather": Moved(1, 4000, 2.0)}


def test_collectives_share_the_links():
    body = [
        gather("s", "-start"),
        gather("s2", "-start", channel=2),
        compute("a", 1000),
        gather("d", "-done", "s"),
        gather("d2", "-done", "s2"),
    ]
    assert figures(cost("\n".join(body))) == (1, 3, 0)


def fused(role, target):
    return f"""
%{role} (p: f32[500]) -> {GATHERED} {{
  %p = f32[500]{{0}} parameter(0)
  %g.{role} = {GATHERED} all-gather(%p), {GROUPS.format(channel=7)}
  ROOT %c.{role} = {GATHERED} custom-call(%g.{role}), custom_call_target="{target}"
}}
"""


def test_fused_collectives_are_one_from_start_to_done():
    def fusion(name, role, config=""):
        return (
            f"  %{name} = {GATHERED} fusion(%x), kind=kCustom, calls=%{role}, "
            f"backend_config={{{config}}}"
        )

    carried = '"estimated_cycles":"1200","continuation_config":{"operand_original_start":"9"}'
    body = [
        fusion("s", "start"),
        fusion("part", "part", carried),
        fusion("d", "done"),
        fusion("plain", "whole"),
    ]
    targets = {
        "start": "AsyncCollectiveStart",
        "part": "Other",
        "done": "AsyncCollectiveDone",
        "whole": "Other",
    }
    found = cost("\n".join(body), *(fused(*item) for item in targets.items()))
    assert figures(found) == (1.2, 0.8 + 2, 0)
    assert found.collectives == {"all-gather": Moved(2, 8000, 4.0)}


def test_a_fused_all_reduce_and_slice_is_a_reduce_scatter():
    inner = """
%reduce (p: f32[1000]) -> f32[500] {
  %p = f32[1000]{0} parameter(0)
  %r = f32[1000]{0} all-reduce(%p), channel_id=3, replica_groups={{0,1}}, to_apply=%add
  ROOT %s = f32[500]{0} dynamic-slice(%r, %p)
}
"""
    found = cost("  %f = f32[500]{0} fusion(%x), kind=kCustom, calls=%reduce", inner)
    assert found.collectives == {"reduce-scatter": Moved(1, 4000, 2.0)}


@pytest.mark.parametrize("cycles, exposed", [(1000, 3), (4000, 0)])
def test_copies_wait_for_their_bytes(cycles, exposed):
    copy = "(f32[1000]{0:S(1)}, f32[1000]{0}, u32[]{:S(2)}) copy-start(%x)"
    body = [f"  %s = {copy}", compute("a", cycles), "  %d = f32[1000]{0:S(1)} copy-done(%s)"]
    assert figures(cost("\n".join(body))) == (cycles / 1e3, 0, exposed)


def test_a_slice_copies_its_own_bytes():
    piece = "((f32[1000]{0}), f32[250]{0:S(1)}, s32[]{:S(2)}) slice-start(%x), slice={[0:250]}"
    found = cost(f"  %s = {piece}\n  %d = f32[250]{{0:S(1)}} slice-done(%s)")
    assert figures(found) == (0, 0, 1)


def test_kernels_count_by_the_flops_that_they_state():
    call = '%{0} = f32[8]{{0}} custom-call(%x), custom_call_target="tpu_custom_call"'
    config = 'backend_config={"custom_call_config":{"body":"b","cost_estimate":{"flops":"9000"}}}'
    body = [f"  {call.format('k')}, {config}", f"  {call.format('silent')}"]
    found = cost("\n".join(body))
    assert found.kernels == found.compute == pytest.approx(2.0)  # at 45 % of 10,000
    assert found.silent_kernels == {"silent": 1}


def loop(name, inner, limit, around=""):
    """A loop whose body runs `inner`; `around` replaces the constant that it counts to."""
    limit = around or f"%{name}.n = s32[] constant({limit})"
    return f"""
%{name}.body (s: (s32[], f32[500])) -> (s32[], f32[500]) {{
  %s = (s32[], f32[500]) parameter(0)
  %{name}.i = s32[] get-tuple-element(%s), index=0
  %{name}.one = s32[] constant(1)
  %{name}.next = s32[] add(%{name}.i, %{name}.one)
  %x = f32[500] get-tuple-element(%s), index=1
{inner}
  ROOT %t = (s32[], f32[500]) tuple(%{name}.next, %x)
}}

%{name}.condition (s: (s32[], f32[500])) -> pred[] {{
  %s = (s32[], f32[500]) parameter(0)
  %{name}.c = s32[] get-tuple-element(%s), index=0
  {limit}
  ROOT %less = pred[] compare(%{name}.c, %{name}.n), direction=LT
}}
"""


def run_loop(name):
    return f"""  %{name}.zero = s32[] constant(0)
  %{name}.state = (s32[], f32[500]) tuple(%{name}.zero, %x)
  %{name} = (s32[], f32[500]) while(%{name}.state), condition=%{name}.condition, \
body=%{name}.body, metadata={{op_name="jit(f)/{name}"}}"""


def test_loops_in_loops():
    inner = loop("inner", "\n".join([compute("a", 100), gather("g")]), 3)
    outer = loop("outer", "\n".join([run_loop("inner"), compute("b", 10)]), 5)
    found = cost(run_loop("outer"), inner, outer)
    assert figures(found) == (5 * (3 * 0.1 + 0.01), 5 * 3 * 2, 0)
    assert found.collectives == {"all-gather": Moved(15, 60_000, 30.0)}
    assert found.lines["", "a"] == pytest.approx(1.5)
    assert not found.open_loops


def test_a_loop_that_ends_by_itself_counts_once():
    ends = '%outer.n = s32[] custom-call(%outer.c), custom_call_target="ask"'
    inner = loop("inner", compute("a", 100), 4)
    outer = loop("outer", run_loop("inner"), 0, around=ends)
    found = cost("\n".join([compute("b", 50), run_loop("outer")]), inner, outer)
    assert found.seconds == pytest.approx(0.05 + 0.4)
    (one,) = found.open_loops
    assert (one.name, one.seconds) == ("jit(f)/outer", pytest.approx(0.4))


def test_the_longest_branch_counts():
    def branch(name, cycles):
        return f"%{name} (x: f32[500]) -> f32[] {{\n{compute(f'c.{name}', cycles)}\n}}\n"

    either = "  %e = f32[] conditional(%x, %x, %x), branch_computations={%short, %long}"
    called = "  %c = f32[] call(%x), to_apply=%short"
    found = cost(f"{either}\n{called}", branch("short", 100), branch("long", 700))
    assert found.seconds == pytest.approx(0.7 + 0.1)
