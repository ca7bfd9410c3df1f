"""Live: pickles in all formats that torch has had, and what is refused in each of them alike."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from llama_files import config_json
from references.llama import CASES, weights
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family
from stepdiff_jax.weights.published.llama import open_llama
from stepdiff_jax.weights.published.pickles import BIN_INDEX, WHOLE_BIN, open_bins, open_pickle

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
CONFIG = CASES["grouped_query"]
FAMILY = find_family("llama2")
LEGACY = {"_use_new_zipfile_serialization": False}
FORMATS = pytest.mark.parametrize("options", [{}, LEGACY], ids=["zip", "before 1.6"])


def state(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(one).to(dtype) for name, one in weights(CONFIG).items()}


def directory(root: Path) -> Path:
    (root / "config.json").write_text(json.dumps(config_json(CONFIG)))
    return root


@FORMATS
@pytest.mark.parametrize(
    ("dtype", "ours"),
    [
        (torch.float32, np.float32),
        (torch.float16, np.float16),
        (torch.float64, np.float64),
        (torch.bfloat16, ml_dtypes.bfloat16),
    ],
)
def test_every_format_and_dtype_gives_the_tensors(options, dtype, ours, tmp_path):
    torch.save(state(dtype), directory(tmp_path) / WHOLE_BIN, **options)
    source = open_llama(tmp_path, FAMILY)
    wanted = weights(CONFIG)
    assert {one.name for one in source.tensors} == wanted.keys()
    for one in source.tensors:
        assert one.dtype == ours
        np.testing.assert_array_equal(one.read(), wanted[one.name].astype(ours))


class Malicious:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@FORMATS
def test_no_pickle_runs_code(options, tmp_path):
    path, ran = tmp_path / "a.bin", tmp_path / "ran"
    if options:
        torch.save({"a": torch.zeros(2), "b": Malicious(ran)}, path, **options)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Malicious(ran), protocol=2))
            archive.writestr("archive/version", "3")
    with pytest.raises(InputError, match="a pickle that would run code"):
        open_pickle(path)
    assert not ran.exists()


@FORMATS
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused_in_one_line(options, kept, tmp_path):
    path = tmp_path / "a.bin"
    torch.save(state(), path, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=f"{path}: ") as error:
        open_pickle(path)
    assert "\n" not in str(error.value)


@FORMATS
@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(3).to_sparse(),
        torch.zeros(3).to(torch.float8_e4m3fn),
        torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    ],
    ids=["sparse", "float8", "quantised"],
)
def test_tensors_that_numpy_has_not_are_named(options, tensor, tmp_path):
    torch.save({"odd": tensor}, tmp_path / "a.bin", **options)
    with pytest.raises(InputError) as error:
        open_pickle(tmp_path / "a.bin")
    assert "\n" not in str(error.value)


def test_integers_are_refused_among_the_weights(tmp_path):
    integers = {"model.norm.weight": torch.zeros(32, dtype=torch.int64)}
    torch.save(state() | integers, directory(tmp_path) / WHOLE_BIN)
    with pytest.raises(InputError, match=r"bin: tensor model\.norm\.weight has dtype int64; known"):
        open_llama(tmp_path, FAMILY)


def write_parts(root: Path) -> dict[str, str]:
    tensors = state()
    names = sorted(tensors)
    table = {}
    for number in (1, 2):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        part = names[number - 1 :: 2]
        torch.save({name: tensors[name] for name in part}, root / file)
        table |= dict.fromkeys(part, file)
    (root / BIN_INDEX).write_text(json.dumps({"weight_map": table}))
    return table


def test_an_index_that_lies_and_a_whole_file_beside_it_are_refused_as_of_safetensors(tmp_path):
    table = write_parts(tmp_path)
    assert open_bins(tmp_path).keys() == table.keys()
    (elsewhere,) = set(table.values()) - {table["model.norm.weight"]}
    other = {**table, "model.norm.weight": elsewhere}
    (tmp_path / BIN_INDEX).write_text(json.dumps({"weight_map": other}))
    with pytest.raises(
        InputError, match=r"tensor model\.norm\.weight is not in pytorch_model-0000"
    ):
        open_bins(tmp_path)
    (tmp_path / BIN_INDEX).write_text(json.dumps({"weight_map": table}))
    torch.save(state(), tmp_path / WHOLE_BIN)
    with pytest.raises(InputError, match=f"holds both {WHOLE_BIN} and {BIN_INDEX}"):
        open_bins(tmp_path)


def test_a_tensor_in_two_files_is_refused_and_a_whole_file_is_taken_alone(tmp_path):
    write_parts(tmp_path)
    (tmp_path / BIN_INDEX).unlink()
    torch.save({"lm_head.weight": torch.zeros(1)}, tmp_path / "pytorch_model-00003-of-00003.bin")
    with pytest.raises(InputError, match=r"tensor lm_head\.weight is also in pytorch_model-0000"):
        open_bins(tmp_path)
    torch.save(state(), tmp_path / WHOLE_BIN)
    assert {file.name for file, _ in open_bins(tmp_path).values()} == {WHOLE_BIN}
