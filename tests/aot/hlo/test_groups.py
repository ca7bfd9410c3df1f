"""Groups of a collective in all forms that HLO has."""

import pytest

from stepdiff_jax.aot.hlo.groups import first_group


@pytest.mark.parametrize(
    "attributes, group",
    [
        ("replica_groups={{0,2},{1,3}}", (0, 2)),
        ("replica_groups=[2,4]<=[8], dimensions={0}", (0, 1, 2, 3)),
        ("replica_groups=[2,4]<=[4,2]T(1,0)", (0, 2, 4, 6)),
        ("replica_groups=mesh['a'=2,'b'=4] {'b'}", (0, 1, 2, 3)),
        ("replica_groups=mesh['a'=2,'b'=4] {'a'}", (0, 4)),
        ("replica_groups=mesh['a'=2,'b'=4] {'a','b'}", tuple(range(8))),
        ("replica_groups=mesh['a'=2,'b'=4] {'b':(2)2}", (0, 1)),
        ("replica_groups=mesh['a'=2,'b'=4] {'b':(1)2}", (0, 2)),
        ("source_target_pairs={{0,4},{4,0}}", (0, 4)),
        ("replica_groups={}", tuple(range(8))),
        ("to_apply=%add", tuple(range(8))),
    ],
)
def test_first_group(attributes, group):
    assert first_group(f", channel_id=1, {attributes}, use_global_device_ids=true", 8) == group
