"""The device mesh, and the rules that shard arrays with named dimensions over it.

Weights are sharded by the logical names of their dimensions (`stepdiff_jax.models.variables`),
batches by their rows. The table of rules is ours: fully sharded over "fsdp" along the embedding,
split over "tensor" along heads, MLP width and vocabulary, as Megatron (arXiv 1909.08053) does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from math import prod
from typing import Any, TypeVar, cast

import jax
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from stepdiff_jax.config import MeshConfig
from stepdiff_jax.errors import InputError

MESH_AXES = ("replica", "data", "fsdp", "tensor")
DATA_AXES = ("replica", "data", "fsdp")
"""Mesh axes over which the rows of a batch are spread."""
INFERENCE_AXES = ("data", "tensor", "group")
"""Axes of a mesh for inference (`stepdiff_jax.inference.mesh`), which has rules of its own."""

SMALL = 1 << 20
"""Bytes below which an array that does not divide evenly is replicated instead of refused."""

Run = TypeVar("Run", bound=Callable[..., Any])

MeshAxes = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Rules:
    """Pairs (logical axis, mesh axes or None for replicated); the first match wins.

    "rows" are the leading axes of activations: rows of a batch, or axes flattened into them.
    """

    table: tuple[tuple[str, MeshAxes], ...] = (
        ("rows", DATA_AXES),
        ("layers", None),
        ("embed", "fsdp"),
        ("heads", "tensor"),
        ("kv_heads", "tensor"),
        ("mlp", "tensor"),
        ("vocab", "tensor"),
        ("head_dim", None),
        ("embed_tiles", "fsdp"),
        ("heads_tiles", "tensor"),
        ("mlp_tiles", "tensor"),
    )
    optional: frozenset[str] = frozenset(("embed_tiles", "heads_tiles", "mlp_tiles"))
    """Logical axes that are replicated if their mesh axis does not divide them, however large
    the array: the tiles of quantised weights, 128 times fewer than their inputs."""

    def mesh_axis(self, name: str | None) -> MeshAxes:
        """The mesh axes of one logical axis; raises ValueError if no rule names it."""
        if name is None:
            return None
        for logical, axis in self.table:
            if logical == name:
                return axis
        raise ValueError(f"no sharding rule for the logical axis {name!r}")

    def spec(self, names: Sequence[str | None]) -> PartitionSpec:
        """The partition of an array whose dimensions have these names.

        Raises ValueError if a name is unknown or two dimensions fall on one mesh axis.
        """
        axes = [self.mesh_axis(name) for name in names]
        used = [axis for entry in axes for axis in _each(entry)]
        if len(set(used)) < len(used):
            raise ValueError(
                f"two of the logical axes {tuple(names)} fall on one mesh axis: {axes}"
            )
        return PartitionSpec(*axes)


INFERENCE_RULES = Rules(
    (
        ("rows", "data"),
        ("layers", None),
        ("embed", None),
        ("heads", ("tensor", "group")),
        ("kv_heads", "tensor"),
        ("mlp", ("tensor", "group")),
        ("vocab", ("tensor", "group")),
        ("head_dim", None),
        ("embed_tiles", None),
        ("heads_tiles", ("tensor", "group")),
        ("mlp_tiles", ("tensor", "group")),
    ),
    optional=Rules().optional | {"vocab"},
)
"""Weights stay where they are and activations move (Megatron, arXiv 1909.08053): training's gathers
of whole layers hide behind a large batch, but not behind one token. Chips of one "group" share keys
and values, for models with fewer of these heads than chips (arXiv 2211.05102, section 3.3)."""


def rules_of(mesh: Mesh | jax.sharding.AbstractMesh) -> Rules:
    """The rules for a mesh, by its axes."""
    return INFERENCE_RULES if tuple(mesh.axis_names) == INFERENCE_AXES else Rules()


def make_mesh(config: MeshConfig, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh with axes `MESH_AXES` over `devices` (all devices by default).

    Raises:
        InputError: the sizes are not positive, several are -1, or they do not match the devices.
    """
    devices = jax.devices() if devices is None else devices
    sizes = {axis: getattr(config, axis) for axis in MESH_AXES}
    for axis, size in sizes.items():
        if size < 1 and size != -1:
            raise InputError(
                f"mesh.{axis} must be positive, or -1 for all remaining devices, got {size}"
            )
    open_axes = [axis for axis, size in sizes.items() if size == -1]
    if len(open_axes) > 1:
        raise InputError(f"only one mesh axis can be -1, got {' and '.join(open_axes)}")
    given = prod(size for size in sizes.values() if size != -1)
    if len(devices) % given or (not open_axes and given != len(devices)):
        raise InputError(f"mesh sizes {sizes} do not make up {len(devices)} devices")
    shape = tuple(len(devices) // given if size == -1 else size for size in sizes.values())
    if list(devices) == list(jax.devices()):
        # Orders the devices so that inner axes use the fastest links.
        return jax.make_mesh(shape, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES))
    return Mesh(np.array(devices).reshape(shape), MESH_AXES)


def state_shardings(state: Any, mesh: Mesh, rules: Rules | None = None) -> Any:
    """Shardings of all arrays of `state`, from the logical axes of its variables.

    Args:
        state: any tree with `nnx.Variable`s in it (a model's state, or an optimizer's), of arrays
            or of `jax.ShapeDtypeStruct`s. Arrays outside variables are replicated.
    Returns:
        the same tree with a NamedSharding for each array.
    Raises:
        ValueError: a dimension without a rule, or two on one mesh axis.
        InputError: a large array has a dimension that its mesh axis does not divide.
    """
    rules = rules or rules_of(mesh)
    replicated = NamedSharding(mesh, PartitionSpec())

    def of_leaf(path: tuple, leaf: Any) -> Any:
        if not isinstance(leaf, nnx.Variable):
            return replicated
        array = leaf.get_value()
        names = leaf.get_metadata().get("out_sharding") or (None,) * array.ndim
        spec = _dividing(names, rules, array, mesh, jax.tree_util.keystr(path))
        return leaf.replace(NamedSharding(mesh, spec))

    return jax.tree_util.tree_map_with_path(of_leaf, state, is_leaf=_is_variable)


def constrain(x: jax.Array, *names: str | None) -> jax.Array:
    """Pin an activation's layout on the mesh that is being traced for; a no-op without one.

    Weights are sharded along the axes that matmuls contract. Left alone, the compiler may gather
    the rows of a batch everywhere and sum partial products, instead of gathering one layer's
    weights (fully sharded data parallelism); at 70B that does not fit.

    Args:
        names: logical axes of the leading dimensions; the remaining ones are replicated.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return x
    return jax.lax.with_sharding_constraint(x, rules_of(mesh).spec(names))


def mesh_of(tree: Any) -> Mesh | None:
    """The mesh that a tree of arrays is laid out on; None if it is on one device or the host."""
    sharding = getattr(jax.tree.leaves(tree)[0], "sharding", None)
    return sharding.mesh if isinstance(sharding, NamedSharding) else None  # type: ignore[return-value]


def whole_batches(tree: Any, rows: int) -> int:
    """`rows`, raised to a multiple of the parts into which the tree's mesh divides a batch."""
    mesh = mesh_of(tree)
    parts = (
        1
        if mesh is None
        else prod(mesh.shape[one] for one in _each(rules_of(mesh).mesh_axis("rows")))
    )
    return -(-rows // parts) * parts


def on_mesh_of(part: Callable[[Any], Any]) -> Callable[[Run], Run]:
    """`run(model, ...)`, traced for the mesh that a part of the model is laid out on, if any.

    This makes `constrain` work in `run`, which should constrain its results to be replicated.

    Args:
        part: maps the model to the part whose mesh it is.
    """

    def decorate(run: Run) -> Run:
        @wraps(run)
        def traced(model: Any, *arguments: Any, **options: Any) -> Any:
            mesh = mesh_of(part(model))
            if mesh is None:
                return run(model, *arguments, **options)
            with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
                return run(model, *arguments, **options)

        return cast(Run, traced)

    return decorate


def _each(axes: MeshAxes) -> tuple[str, ...]:
    return () if axes is None else (axes,) if isinstance(axes, str) else axes


def _is_variable(node: Any) -> bool:
    return isinstance(node, nnx.Variable)


def _dividing(
    names: Sequence[str | None], rules: Rules, array: Any, mesh: Mesh, path: str
) -> PartitionSpec:
    """The rules' partition of the array.

    In small arrays, and along `rules.optional`, dimensions that do not divide are replicated.
    """
    axes = list(rules.spec(names))
    for dimension, axis in enumerate(axes):
        parts = prod(mesh.shape[one] for one in _each(axis))
        if array.shape[dimension] % parts == 0:
            continue
        if names[dimension] not in rules.optional and array.size * array.dtype.itemsize >= SMALL:
            raise InputError(
                f"mesh.{axis}: {parts} devices do not divide dimension {dimension} of "
                f"{path} {array.shape}"
            )
        axes[dimension] = None
    return PartitionSpec(*axes)


def rows_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of batches: the leading axis over all data axes, the others replicated."""
    return NamedSharding(mesh, PartitionSpec(DATA_AXES))


def put_whole(tree: Any, shardings: Any) -> Any:
    """Put arrays on a mesh that every process holds whole, with the same values.

    Each device receives only its shard. `jax.device_put` would first compare the arrays of all
    processes, which takes one transfer of the whole model per process.
    """

    def put(array: Any, sharding: NamedSharding) -> jax.Array:
        if sharding.is_fully_addressable:
            return jax.device_put(array, sharding)
        whole = np.asarray(array)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    return jax.tree.map(put, tree, shardings)


@lru_cache
def data_shard(mesh: Mesh) -> tuple[int, int]:
    """Which part of every batch this process reads, and how many parts there are.

    Processes whose devices hold the same rows, because "tensor" spans them, read the same part.

    Raises:
        InputError: two processes share only some of their rows.
    """
    blocks = np.arange(prod(mesh.shape[axis] for axis in DATA_AXES))
    sizes = [mesh.shape[axis] for axis in DATA_AXES]
    block_of = np.broadcast_to(blocks.reshape(*sizes, 1), mesh.devices.shape)
    held: dict[int, set[int]] = {}
    for device, block in zip(mesh.devices.flat, block_of.flat):
        held.setdefault(device.process_index, set()).add(int(block))
    parts = sorted({tuple(sorted(part)) for part in held.values()})
    if sum(map(len, parts)) > len(blocks) or len(set(map(len, parts))) > 1:
        raise InputError(
            f"mesh sizes {dict(mesh.shape)}: processes share only some of their rows; "
            "mesh.tensor must divide the devices per process, or be a multiple of them"
        )
    return parts.index(tuple(sorted(held[jax.process_index()]))), len(parts)


def put_rows(batch: Any, mesh: Mesh) -> Any:
    """Put this process's rows of a batch on the mesh: numpy arrays [rows, ...] to global arrays.

    Raises:
        InputError: the data axes do not divide the number of rows; or as `data_shard`.
    """
    sharding = rows_sharding(mesh)
    parts = prod(mesh.shape[axis] for axis in DATA_AXES)
    _, shards = data_shard(mesh)

    def put(array: np.ndarray) -> jax.Array:
        rows = len(array) * shards
        if rows % parts:
            raise InputError(f"data.batch_rows: {rows} rows do not divide over {parts} devices")
        return jax.make_array_from_process_local_data(sharding, array, (rows, *array.shape[1:]))

    return jax.tree.map(put, batch)
