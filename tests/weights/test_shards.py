"""Streamed safetensors: what the library reads, in files no larger than asked."""

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from stepdiff_jax.errors import InputError
from stepdiff_jax.files import new_directory
from stepdiff_jax.weights.shards import Pending, write_shards
from stepdiff_jax.weights.tensor_files import INDEX, TensorFiles

DTYPES = [np.float16, np.float32, ml_dtypes.bfloat16]
SHAPES = st.lists(st.integers(1, 5), max_size=3).map(tuple)


def pending(name: str, array: np.ndarray) -> Pending:
    return Pending(name, array.shape, array.dtype, lambda: array)


@given(
    tensors=st.lists(st.tuples(SHAPES, st.sampled_from(DTYPES)), min_size=1, max_size=8),
    limit=st.integers(1, 300),
)
def test_every_tensor_comes_back_and_files_are_no_larger_than_asked(
    tensors, limit, tmp_path_factory
):
    directory = tmp_path_factory.mktemp("shards")
    random = np.random.default_rng(0)
    arrays = {
        f"t{number}": np.asarray(random.normal(size=shape), dtype)
        for number, (shape, dtype) in enumerate(tensors)
    }
    # A transpose is not contiguous: it must be written in the order of its own axes.
    arrays |= {"turned": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    table = write_shards(directory, [pending(*item) for item in arrays.items()], limit=limit)
    found = TensorFiles(directory)
    assert {name: one.file.name for name, one in found.tensors.items()} == table
    for file in set(table.values()):
        held = load_file(directory / file)
        assert len(held) == 1 or sum(array.nbytes for array in held.values()) <= limit
        for name, array in held.items():
            np.testing.assert_array_equal(array, arrays[name])
            assert array.dtype == arrays[name].dtype
    if len(set(table.values())) > 1:
        index = json.loads((directory / INDEX).read_text())
        total = sum(array.nbytes for array in arrays.values())
        assert index == {"metadata": {"total_size": total}, "weight_map": table}
    else:
        assert set(table.values()) == {"model.safetensors"}


def test_a_tensor_that_is_not_what_was_promised_is_an_error(tmp_path):
    wrong = Pending("t", (2,), np.dtype(np.float32), lambda: np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"t: got float32 \(3,\), expected float32 \(2,\)"):
        write_shards(tmp_path, [wrong])


def test_a_directory_is_written_as_a_whole_or_not_at_all(tmp_path):
    with new_directory(tmp_path / "done") as unfinished:
        (unfinished / "file").write_text("1")
        assert not (tmp_path / "done").exists()
    with pytest.raises(KeyError), new_directory(tmp_path / "broken") as unfinished:
        (unfinished / "file").write_text("1")
        raise KeyError
    with pytest.raises(InputError, match="done: exists already"), new_directory(tmp_path / "done"):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["done"]
    assert (tmp_path / "done" / "file").read_text() == "1"
