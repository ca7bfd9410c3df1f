"""The fingerprint of frozen weights: every bit counts, and no device ever holds a whole array."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stepdiff_jax.weights.fingerprint import _checksum, fingerprint

random = np.random.default_rng(0)
STATE = {
    "kernel": random.normal(size=(4, 8, 16)).astype(np.float32),
    "embedding": jnp.asarray(random.normal(size=(16, 8)), jnp.bfloat16),
    "scale": np.float32(2.5),
}


def test_it_does_not_depend_on_the_sharding_and_nothing_is_gathered():
    mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("fsdp", "tensor"))
    shardings = {
        "kernel": NamedSharding(mesh, PartitionSpec(None, "fsdp", "tensor")),
        "embedding": NamedSharding(mesh, PartitionSpec("tensor", "fsdp")),
        "scale": NamedSharding(mesh, PartitionSpec()),
    }
    sharded = jax.device_put(STATE, shardings)
    assert fingerprint(sharded) == fingerprint(STATE)
    program = jax.jit(_checksum).lower(sharded["kernel"]).compile().as_text()
    assert "all-reduce" in program
    assert "all-gather" not in program and "all-to-all" not in program


@pytest.mark.parametrize("place", [(0, 0, 0), (3, 0, 5), (1, 7, 15)])
def test_one_bit_changes_it(place):
    changed = STATE["kernel"].copy()
    changed.view(np.uint32)[place] ^= 1
    assert fingerprint({**STATE, "kernel": changed}) != fingerprint(STATE)


def test_order_name_and_dtype_change_it():
    kernel = STATE["kernel"]
    seen = [
        fingerprint(STATE),
        fingerprint({**STATE, "kernel": kernel[::-1]}),
        fingerprint({**STATE, "kernel": kernel.swapaxes(0, 1).reshape(kernel.shape)}),
        fingerprint({**STATE, "kernel": kernel.view(np.uint32)}),
        fingerprint({"weight": kernel, "embedding": STATE["embedding"], "scale": STATE["scale"]}),
    ]
    assert len(set(seen)) == len(seen)
