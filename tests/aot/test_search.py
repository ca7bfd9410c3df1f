"""The search for a slice and a batch, over any memory that grows with rows."""

import dataclasses

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import configs.stepdiff
from stepdiff_jax.aot.report import Fit
from stepdiff_jax.aot.search import largest_batch, search, with_rows
from stepdiff_jax.aot.topology import CHIPS, parse_topology, use_compiler_only
from stepdiff_jax.config import MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.flops import step_flops

EXPERIMENT = configs.stepdiff.experiment()


def compiler(memory_of_rows, asked):
    """Compiles by a formula: bytes a chip from rows a chip."""

    def compile(experiment, topology):
        chip, chips = parse_topology(topology)
        rows = experiment.data.batch_rows
        peak = memory_of_rows(rows / chips)
        asked.append((topology, rows))
        fits = peak <= chip.memory
        return Fit(
            name=experiment.name,
            program="train",
            run="step",
            topology=topology,
            chips=chips,
            mesh={},
            rows=rows,
            row_length=experiment.data.row_length,
            tokens=rows * experiment.data.row_length,
            pairs=rows,
            memory_bytes=chip.memory,
            fits=fits,
            reason="",
            argument_bytes=0 if fits else None,
            temporary_bytes=int(peak) if fits else None,
            peak_bytes=int(peak) if fits else None,
            beside_bytes=0,
            flops=step_flops(experiment),
            step_seconds={},
            estimate=None,
            compile_seconds=0.0,
        )

    return compile


@settings(deadline=None, max_examples=60)
@given(
    base=st.floats(0, 12e9),
    row=st.floats(5e7, 9e9),
    curve=st.floats(0, 1e8),
)
def test_one_row_more_does_not_fit(base, row, curve):
    def memory(rows):
        return base + row * rows + curve * rows**2

    assume(memory(1) <= CHIPS["v5e"].memory)
    asked = []
    compile = compiler(memory, asked)
    smallest = compile(with_rows(EXPERIMENT, 4), "v5e:2x2")
    found = largest_batch(EXPERIMENT, smallest, 4, compile, lambda line: None)
    assert found.rows % 4 == 0
    assert memory(found.rows / 4) <= CHIPS["v5e"].memory < memory(found.rows / 4 + 1)
    assert len(set(asked)) == len(asked)
    if curve == 0:
        assert len(asked) <= 12


def test_slices_are_tried_from_the_smallest_and_hopeless_ones_are_not_compiled():
    pytest.importorskip("libtpu")
    use_compiler_only()
    asked, told = [], []
    # 200 layers are 81 GB in bfloat16: more than four chips of 16 GiB hold, less than eight do.
    deep = dataclasses.replace(EXPERIMENT, llama=dataclasses.replace(EXPERIMENT.llama, layers=200))
    found = search(deep, "v5e", told.append, compiler(lambda rows: 13e9 + 2e9 * rows, asked))
    assert told[0].startswith("v5e:2x2: weights and optimizer alone need ")
    assert asked == [("v5e:2x4", 8), ("v5e:2x4", 16), ("v5e:2x4", 24)]
    assert (found.smallest.rows, found.largest.rows) == (8, 16)


def test_weights_that_no_chip_holds_are_said_without_compiling():
    pytest.importorskip("libtpu")
    use_compiler_only()
    asked, told = [], []
    one_copy_a_chip = dataclasses.replace(EXPERIMENT, mesh=MeshConfig(data=-1, fsdp=1))
    deep = dataclasses.replace(
        one_copy_a_chip, llama=dataclasses.replace(EXPERIMENT.llama, layers=60)
    )
    with pytest.raises(InputError, match="--search v5e: stepdiff-7b fits none of its slices"):
        search(deep, "v5e", told.append, compiler(lambda rows: 0, asked))
    assert not asked
    assert all("weights and optimizer alone need 2" in line for line in told)
