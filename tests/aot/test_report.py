"""The report says whether a program fits, and never takes another failure for an answer."""

import pytest

from stepdiff_jax.aot.report import out_of_memory


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
