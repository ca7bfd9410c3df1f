"""The estimate's figures follow from a program's cost, and its summary says what they are."""

import jax
import numpy as np
import pytest

from stepdiff_jax.aot.describe import describe_estimate, seconds
from stepdiff_jax.aot.estimate import estimate, estimate_text

TEXT = """
ENTRY %main (x: bf16[64,64]) -> bf16[64,64] {
  %x = bf16[64,64]{1,0} parameter(0)
  %y = bf16[64,64]{1,0} convolution(%x, %x), dim_labels=bf_io->bf, \
metadata={op_name="jit(f)/transpose(jvp())/dot_general"}, \
backend_config={"estimated_cycles":"3000000000"}
  %k = bf16[64,64]{1,0} custom-call(%y), custom_call_target="tpu_custom_call", \
metadata={op_name="mine"}
  ROOT %g = bf16[128,64]{1,0} all-gather(%k), replica_groups={{0,1}}, dimensions={0}
}
"""
PLACES = [(0, 0), (1, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize("generation, clock", [("v5e", 1.5e9), ("v6e", 1.75e9)])
def test_figures(generation, clock):
    found = estimate_text(TEXT, PLACES, f"{generation}:2x2", useful=1e15)
    hop = 1e-6
    assert found.compute_seconds == pytest.approx(3e9 / clock)
    assert found.exposed_collective_seconds == pytest.approx(hop)
    assert found.schedule_seconds == pytest.approx(3e9 / clock + hop)
    assert found.product_flops == 4 * 2 * 64**3
    peak = {"v5e": 197e12, "v6e": 918e12}[generation]
    assert found.estimated_mfu == pytest.approx(1e15 / (4 * peak * found.schedule_seconds))
    assert (found.costliest[0].operation, found.costliest[1].operation) == (
        "dot_general, backward",
        "all-gather",
    )
    assert found.silent_kernels == {"mine": 1}
    (gathered,) = found.collectives
    assert (gathered.kind, gathered.operations, gathered.bytes) == ("all-gather", 1, 128 * 64 * 2)


def test_an_interval_where_the_schedule_was_compared_with_real_times():
    compared = estimate_text(TEXT, PLACES, "v5e:2x2", 1.0)
    assert compared.estimated_seconds is not None
    assert compared.estimated_seconds.low == pytest.approx(0.78 * compared.schedule_seconds)
    assert compared.estimated_seconds.high == pytest.approx(0.95 * compared.schedule_seconds)
    other = estimate_text(TEXT, PLACES, "v6e:2x2", 1.0)
    assert other.estimated_seconds is None
    assert "not calibrated on v6e" in "\n".join(describe_estimate(other, "v6e"))


def test_the_summary_says_by_what_and_what_is_missing():
    lines = "\n".join(describe_estimate(estimate_text(TEXT, PLACES, "v5e:2x2", 1.0), "v5e"))
    assert "2.00 s by the compiler's schedule (estimated 1.56 s to 1.90 s)" in lines
    assert "kernel mine runs 1 times and states no FLOPs: counted as nothing" in lines
    assert "nothing of it is measured" in lines
    assert "cannot be read back" in describe_estimate(None, "v5p")[0]


class Unreadable:
    """Stands in for libtpu's executable for v5p, whose text jaxlib cannot parse."""

    def as_text(self):
        raise jax.errors.JaxRuntimeError("INTERNAL: Failed to parse")


def test_a_program_that_cannot_be_read_back_has_no_estimate():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:4]), "x")
    assert estimate(Unreadable(), mesh, "v5p:2x2x1", 1.0) is None


def test_readable_seconds():
    assert [seconds(one) for one in (0, 2.5, 0.1, 0.02, 3e-5)] == [
        "0.00 s", "2.50 s", "0.10 s", "20.00 ms", "30.00 us",
    ]  # fmt: skip
