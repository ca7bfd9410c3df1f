"""Options of the compiler: none on this machine, and on TPU they do what they are there for."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from stepdiff_jax.aot.topology import topology_devices, use_compiler_only
from stepdiff_jax.compile_options import compile_options
from stepdiff_jax.config import MeshConfig
from stepdiff_jax.sharding import make_mesh


def gathered_product(mesh, options):
    """The text of a product with a weight that is sharded along the axis that it contracts."""

    @partial(jax.jit, compiler_options=options)
    def product(x, weight):
        return jax.lax.with_sharding_constraint(x @ weight, rows)

    rows = NamedSharding(mesh, P("fsdp"))
    x = jax.ShapeDtypeStruct((32, 1024, 1024), jnp.bfloat16, sharding=rows)
    weight = jax.ShapeDtypeStruct((1024, 1024), jnp.bfloat16, sharding=rows)
    return product.lower(x, weight).compile().as_text()


def test_none_without_a_tpu():
    assert compile_options(make_mesh(MeshConfig())) is None


def test_v5e_gathers_a_weight_whole_instead_of_in_a_ring():
    pytest.importorskip("libtpu")
    use_compiler_only()
    mesh = make_mesh(MeshConfig(), topology_devices("v5e:4x4"))
    options = compile_options(mesh)
    assert options
    assert "collective-permute" in gathered_product(mesh, None)
    assert "collective-permute" not in gathered_product(mesh, options)
