"""What checkpoints refuse, and which one is taken."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stepdiff_jax.checkpoint import CheckpointMetadata, Checkpoints, load_trained
from stepdiff_jax.config import MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.sharding import make_mesh, state_shardings

METADATA = CheckpointMetadata("f00d", {"layers": 2, "latents": 32}, "c0ffee")


def trained(scale: float) -> dict[str, Any]:
    weight = np.arange(32, dtype=np.float32).reshape(4, 8) * scale
    axes = {"out_sharding": ("embed", "mlp"), "eager_sharding": False}
    return {
        "head": {"weight": nnx.Param(jnp.asarray(weight), **axes)},
        "scale": nnx.Param(jnp.float32(scale)),
    }


def moments(scale: float) -> tuple[Any, ...]:
    return (trained(-scale), jnp.int32(scale))


@pytest.fixture(scope="module")
def saved_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with checkpoints 2 and 3, of three that were saved."""
    directory = tmp_path_factory.mktemp("saved")
    with Checkpoints(directory / "checkpoints", keep=2) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, trained(step), moments(step), {"next": step}, METADATA)
    return directory


@pytest.fixture
def run(saved_run: Path, tmp_path: Path) -> Path:
    """A copy of `saved_run` to be spoilt."""
    return shutil.copytree(saved_run, tmp_path / "run")


def restore(run: Path, tree: Any = None, metadata: CheckpointMetadata = METADATA) -> Any:
    with Checkpoints(run / "checkpoints", keep=2) as checkpoints:
        return checkpoints.restore(tree or trained(0), moments(0), metadata)


def test_newest_is_restored_with_everything_that_was_saved(run):
    restored = restore(run)
    assert (restored.step, restored.iterator_state) == (3, {"next": 3})
    jax.tree.map(np.testing.assert_array_equal, restored.trainable, trained(3))
    jax.tree.map(np.testing.assert_array_equal, restored.opt_state, moments(3))
    kept = {path.name for path in (run / "checkpoints").iterdir()}
    assert kept == {"2", "3"}


def test_empty_directory_restores_nothing(tmp_path):
    assert restore(tmp_path) is None


def test_half_written_checkpoints_are_ignored(run):
    checkpoints = run / "checkpoints"
    (checkpoints / "9").mkdir()
    shutil.copytree(checkpoints / "3", checkpoints / "8")
    shutil.rmtree(checkpoints / "8" / "trainable")
    shutil.copytree(checkpoints / "3", checkpoints / "7")
    (checkpoints / "7" / "_CHECKPOINT_METADATA").unlink()
    shutil.copytree(checkpoints / "3", checkpoints / "6.orbax-checkpoint-tmp")
    assert restore(run).step == 3
    assert float(load_trained(run, trained(0))["scale"].get_value()) == 3
    assert not (checkpoints / "6.orbax-checkpoint-tmp").exists()


def test_trained_weights_load_into_other_shardings(run):
    mesh = make_mesh(MeshConfig(data=2, fsdp=2, tensor=2))
    sharded = jax.device_put(trained(0), state_shardings(trained(0), mesh))
    loaded = load_trained(run, sharded, fingerprint="f00d")
    jax.tree.map(np.testing.assert_array_equal, loaded, trained(3))
    weight = loaded["head"]["weight"].get_value()
    assert weight.addressable_shards[0].data.shape == (2, 4)


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("fingerprint", "beef", "fingerprint is f00d, this model's is beef"),
        ("resampler", {"layers": 3}, "resampler is {'layers': 2, 'latents': 32}, .* {'layers': 3}"),
        ("config_hash", "tea", "config_hash is c0ffee, this model's is tea"),
    ],
)
def test_checkpoint_of_another_model_is_an_input_error(run, field, value, message):
    other = dataclasses.replace(METADATA, **{field: value})
    with pytest.raises(InputError, match=f"{run}/checkpoints/3: .*{message}"):
        restore(run, metadata=other)


def changed(**arrays: Any) -> dict[str, Any]:
    return {**trained(0), **arrays}


@pytest.mark.parametrize(
    "tree, message",
    [
        (changed(bias=jnp.zeros(3)), "trainable.bias is missing"),
        ({"scale": trained(0)["scale"]}, "trainable.head.weight is not in the model"),
        (
            changed(head={"weight": jnp.zeros((4, 9))}),
            r"trainable.head.weight shape is \(4, 8\), this model's is \(4, 9\)",
        ),
    ],
)
def test_arrays_of_another_model_are_an_input_error(run, tree, message):
    with pytest.raises(InputError, match=f"{run}/checkpoints/3: .*{message}"):
        restore(run, tree)
    with pytest.raises(InputError, match=f"{run}/checkpoints/3: .*{message}"):
        load_trained(run, tree)


def test_weights_for_other_frozen_weights_are_an_input_error(run):
    with pytest.raises(InputError, match="fingerprint is f00d, this model's is beef"):
        load_trained(run, trained(0), fingerprint="beef")


def test_run_without_checkpoints_is_an_input_error_and_stays_untouched(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path}/checkpoints: no such directory"):
        load_trained(tmp_path, trained(0))
    assert not list(tmp_path.iterdir())
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="holds no complete checkpoint"):
        load_trained(tmp_path, trained(0))


def test_keeping_no_checkpoint_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"loop\.keep_checkpoints must be positive, got 0"):
        Checkpoints(tmp_path, keep=0)
