"""Presets of accelerators, on meshes of devices that are not there."""

from math import prod

import jax
import pytest
from flax import nnx
from jax.sharding import AbstractMesh, AxisType

from stepdiff_jax.config_files import load_experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_size, size_names
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.sharding import MESH_AXES, SMALL, state_shardings

STAGES = ("stepdiff", "interleaved", "vclm")
PUBLISHED = [f"{stage}@{size}" for stage in STAGES for size in size_names()]
ACCELERATORS = ("v5e", "v6e", "v5p", "h100", "h200")
GROUPS = 2
"""Copies of the weights on the meshes of this test."""


def whole_and_shard_bytes(state, mesh: AbstractMesh) -> dict[str, tuple[float, float]]:
    """Name of an array -> bytes of the whole and of one device's part."""
    sizes = {}
    leaves = jax.tree_util.tree_leaves_with_path(
        state_shardings(state, mesh), is_leaf=lambda leaf: isinstance(leaf, nnx.Variable)
    )
    for (path, sharding), leaf in zip(leaves, jax.tree.leaves(state), strict=True):
        part = sharding.get_value().shard_shape(leaf.shape)
        width = leaf.dtype.itemsize / (2 if leaf.dtype.name == "int4" else 1)
        sizes[jax.tree_util.keystr(path)] = (leaf.size * width, prod(part) * width)
    return sizes


def mesh_of(experiment) -> AbstractMesh:
    sizes = {axis: getattr(experiment.mesh, axis) for axis in MESH_AXES} | {"data": GROUPS}
    return AbstractMesh(tuple(sizes.values()), MESH_AXES, (AxisType.Auto,) * len(MESH_AXES))


def test_every_published_size_has_a_preset_for_every_accelerator():
    assert {"llama2-70b", "llama3-70b"} <= set(size_names())
    for name in size_names():
        assert tuple(find_size(name).presets) == ACCELERATORS


@pytest.mark.parametrize("accelerator", ACCELERATORS)
@pytest.mark.parametrize("name", [f"stepdiff@{size}" for size in size_names()])
def test_every_large_frozen_array_is_split_over_its_whole_group(name, accelerator):
    experiment = load_experiment(f"{name}@{accelerator}")
    group = experiment.mesh.fsdp
    _, _, frozen = split_variables(abstract_model(experiment), experiment.trainable)
    sizes = whole_and_shard_bytes(frozen, mesh_of(experiment))
    large = {path: size for path, size in sizes.items() if size[0] > SMALL}
    assert len(large) >= 10
    for path, (whole, part) in large.items():
        assert part == whole / group, path
    total, held = (sum(column) for column in zip(*sizes.values()))
    assert held < total / group * 1.01
    assert held >= total / group


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_presets_fit_every_published_config(name, accelerator):
    plain, preset = load_experiment(name), load_experiment(f"{name}@{accelerator}")
    assert preset.mesh.data == -1
    assert preset.data == plain.data
    assert preset.optimizer == plain.optimizer
    assert preset.data.batch_rows % preset.mesh.fsdp == 0


@pytest.mark.parametrize(
    "config, message",
    [
        ("stepdiff_70b@v9", "accelerator 'v9': must be one of v5e, v6e, v5p, h100, h200"),
        ("kitchen@v5e", "accelerator 'v5e': presets are only for Llama-2 .* for kitchen-stepdiff"),
        ("kitchen@llama2-7b", r"kitchen\.py: unknown size 'llama2-7b'; it has base, small"),
        ("stepdiff@llama2-8b", "unknown size 'llama2-8b'; known: llama2-7b, "),
        ("stepdiff_70b@llama3-8b", "must be NAME, optionally with @SIZE and @ACCELERATOR"),
        ("stepdiff@v5e@v5e", "must be NAME, optionally with @SIZE and @ACCELERATOR"),
    ],
)
def test_wrong_presets_are_input_errors(config, message):
    with pytest.raises(InputError, match=message):
        load_experiment(config)


def test_the_weights_of_a_group_fit_its_memory():
    memory = {"v5e": 16, "v6e": 32, "v5p": 95, "h100": 80, "h200": 141}
    for size in map(find_size, size_names()):
        llama = size.config
        layer = llama.width * (2 * llama.width + 3 * llama.mlp_width)
        for accelerator, preset in size.presets.items():
            weights = llama.layers * layer * (1 if preset.quantization else 2)
            weights += 4 * llama.vocabulary_size * llama.width
            assert weights / preset.group < 0.75 * memory[accelerator] * 2**30
