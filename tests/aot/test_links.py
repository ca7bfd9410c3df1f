"""Time on a slice's links: which axes a group spans, and which of them are rings."""

import itertools

import pytest

from stepdiff_jax.aot.links import HOP_SECONDS, Links
from stepdiff_jax.aot.topology import CHIPS, slice_shape


def links(topology):
    shape = slice_shape(topology)
    chip = CHIPS[topology.partition(":")[0]]
    return Links(chip, shape, list(itertools.product(*map(range, shape))))


@pytest.mark.parametrize(
    "topology, group, ways",
    [
        ("v5e:4x4", range(16), 2),  # a line along each of two axes
        ("v5e:4x4", range(4), 1),
        ("v5e:4x4", range(0, 16, 4), 1),
        ("v5e:16x16", range(256), 4),  # rings
        ("v5e:16x16", range(16), 2),
        ("v5e:16x16", range(8), 1),  # a part of a ring is a line
        ("v5p:4x4x4", range(64), 6),
        ("v5p:2x2x1", range(4), 2),
        ("v6e:2x4", range(8), 2),
    ],
)
def test_gathering_uses_all_links_along_the_group(topology, group, ways):
    found, size, count = links(topology), 1 << 30, len(group)
    expected = size * (count - 1) / count / (ways * found.chip.link)
    assert found.seconds("all-gather", size, group) == pytest.approx(expected)
    assert found.seconds("reduce-scatter", size, group) == pytest.approx(expected)
    assert found.seconds("all-reduce", size, group) == pytest.approx(2 * expected)


def test_little_data_takes_as_long_as_its_way():
    found = links("v5e:4x4")
    assert found.seconds("all-reduce", 8, range(16)) == pytest.approx(2 * 6 * HOP_SECONDS)
    assert found.seconds("all-gather", 8, range(4)) == pytest.approx(3 * HOP_SECONDS)
    assert links("v5e:16x16").seconds("all-gather", 8, range(256)) == pytest.approx(16e-6)
    assert found.seconds("collective-permute", 8, (0, 1)) == HOP_SECONDS


def test_permutes_go_both_ways_at_once():
    found = links("v5e:4x4")
    assert found.seconds("collective-permute", 90_000_000, (0, 1)) == pytest.approx(1e-3)


def test_one_chip_sends_nothing():
    assert links("v5e:2x2").seconds("all-reduce", 1 << 30, (2,)) == 0
