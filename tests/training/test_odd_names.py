"""Checkpoints below directories whose names other programs take apart; see also `tiny`."""

import dataclasses
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from stepdiff_jax.checkpoint import CheckpointMetadata, Checkpoints, read_trained
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.loop import train

METADATA = CheckpointMetadata("f", {}, "h")
TREE = {"w": jnp.arange(6.0)}


def save(directory: Path) -> None:
    with Checkpoints(directory / "checkpoints", keep=2) as checkpoints:
        checkpoints.save(3, TREE, {"m": jnp.ones(2)}, {"i": 1}, METADATA)


@pytest.mark.parametrize("name", ["run[1]", "[!x]", "a*", "q?", "x@3 %20 {a}:b", "n" * 255])
def test_a_checkpoint_is_whole_and_is_read_again(name, tmp_path):
    save(tmp_path / "aX")  # which `a*` would match, too
    save(tmp_path / name)
    found = read_trained(tmp_path / name)
    assert found.step == 3
    np.testing.assert_array_equal(found.arrays["w"], TREE["w"])


@pytest.mark.parametrize("lost", ["trainable/manifest.ocdbt", "opt_state/manifest.ocdbt"])
def test_a_checkpoint_that_cannot_be_read_again_is_noticed_at_once(lost, tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.save(3, TREE, {"m": jnp.ones(2)}, {"i": 1}, METADATA)
    checkpoints._checkpointer.wait()
    (tmp_path / "3" / lost).unlink()
    with pytest.raises(InputError, match=f"{tmp_path}/3: was written, but cannot be read again"):
        checkpoints.wait()
    checkpoints._checkpointer.close()


def test_a_checkpoint_without_its_manifest_is_not_the_newest(tmp_path):
    with Checkpoints(tmp_path / "checkpoints", keep=2) as checkpoints:
        for step in (3, 4):
            checkpoints.save(step, TREE, {"m": jnp.ones(2)}, {"i": 1}, METADATA)
    (tmp_path / "checkpoints/4/trainable/manifest.ocdbt").unlink()
    assert read_trained(tmp_path).step == 3


def test_a_run_directory_that_cannot_hold_checkpoints_is_refused_before_anything(tiny, tmp_path):
    directory = tmp_path / os.fsdecode(b"caf\xe9")
    loop = dataclasses.replace(tiny.loop, run_directory=str(directory))
    with pytest.raises(InputError, match="is not UTF-8"):
        train(dataclasses.replace(tiny, loop=loop))
    assert not directory.exists()
