"""Mesh, sharding rules and their errors, on eight virtual devices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from stepdiff_jax.config import MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.sharding import (
    DATA_AXES,
    Rules,
    constrain,
    make_mesh,
    put_rows,
    state_shardings,
)

MESH = MeshConfig(replica=1, data=2, fsdp=2, tensor=2)


def variable(shape: tuple[int, ...], axes: tuple[str | None, ...] | None) -> nnx.Param:
    metadata = {} if axes is None else {"out_sharding": axes, "eager_sharding": False}
    return nnx.Param(jnp.zeros(shape, jnp.float32), **metadata)


def test_first_matching_rule_wins():
    rules = Rules((("embed", "fsdp"), ("embed", "tensor"), ("heads", None)))
    assert rules.spec(("embed", None, "heads")) == P("fsdp", None, None)


def test_unknown_logical_axis_is_an_error():
    with pytest.raises(ValueError, match="'widht'"):
        Rules().spec(("embed", "widht"))


def test_two_logical_axes_on_one_mesh_axis_are_an_error():
    with pytest.raises(ValueError, match=r"\('heads', 'mlp'\) fall on one mesh axis"):
        Rules().spec(("heads", "mlp"))


@pytest.mark.parametrize(
    "config, shape",
    [(MeshConfig(), (1, 1, 8, 1)), (MeshConfig(replica=2, data=-1, fsdp=2), (2, 2, 2, 1))],
)
def test_one_axis_takes_what_is_left(config, shape):
    assert make_mesh(config).devices.shape == shape


@pytest.mark.parametrize(
    "config, message",
    [
        (MeshConfig(fsdp=3), "do not make up 8 devices"),
        (MeshConfig(tensor=3), "do not make up 8 devices"),
        (MeshConfig(data=-1), "data and fsdp"),
        (MeshConfig(data=0), "mesh.data must be positive"),
    ],
)
def test_impossible_mesh_is_an_input_error(config, message):
    with pytest.raises(InputError, match=message):
        make_mesh(config)


def test_arrays_are_laid_out_by_their_names_and_moments_like_their_weights():
    mesh = make_mesh(MESH)
    state = {
        "weight": variable((4, 8, 6), ("layers", "embed", "mlp")),
        "unnamed": variable((8,), None),
    }
    shardings = state_shardings(state, mesh)
    assert shardings["weight"].get_value().spec == P(None, "fsdp", "tensor")
    assert shardings["unnamed"].get_value().spec == P(None)
    adam = state_shardings(optax.adam(1.0).init(state), mesh)[0]
    assert adam.mu["weight"].get_value().spec == P(None, "fsdp", "tensor")
    assert adam.count.spec == P()
    placed = jax.device_put(state, shardings)
    assert placed["weight"].get_value().addressable_shards[0].data.shape == (4, 4, 3)


def test_small_array_that_does_not_divide_is_replicated_there_only():
    shardings = state_shardings({"w": variable((7, 8), ("embed", "mlp"))}, make_mesh(MESH))
    assert shardings["w"].get_value().spec == P(None, "tensor")


def test_large_array_that_does_not_divide_is_an_input_error():
    large = {"w": variable((513, 512), ("embed", "mlp"))}
    with pytest.raises(InputError, match=r"mesh.fsdp: 2 devices do not divide dimension 0.*'w'"):
        state_shardings(large, make_mesh(MESH))


def test_rows_spread_over_the_data_axes_in_order():
    mesh = make_mesh(MESH)
    rows = put_rows({"a": np.arange(24).reshape(8, 3)}, mesh)["a"]
    assert rows.sharding.spec == P(DATA_AXES)
    np.testing.assert_array_equal(rows, np.arange(24).reshape(8, 3))
    assert {shard.data.shape for shard in rows.addressable_shards} == {(2, 3)}


def test_rows_that_do_not_divide_are_an_input_error():
    with pytest.raises(InputError, match=r"data\.batch_rows: 6 rows do not divide over 4 devices"):
        put_rows(np.zeros((6, 3)), make_mesh(MESH))


def test_activations_are_pinned_on_the_mesh_that_is_traced_for_and_nowhere_else():
    x = jnp.zeros((8, 3, 6))
    assert constrain(x, "rows", None, "mlp") is x
    mesh = make_mesh(MESH)

    @jax.jit
    def pinned(x: jax.Array) -> jax.Array:
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return constrain(x, "rows", None, "mlp")

    placed = jax.device_put(x, NamedSharding(mesh, P()))
    assert {shard.data.shape for shard in pinned(placed).addressable_shards} == {(2, 3, 3)}
