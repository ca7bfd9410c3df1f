"""Tensors in safetensors files: listing them, and reading only the bytes a process needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging as absl_logging
from orbax.checkpoint import v1 as ocp
from safetensors import SafetensorError, safe_open

from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.snapshots import local_snapshot
from stepdiff_jax.local_path import local_path

SUFFIX = ".safetensors"
WHOLE = "model.safetensors"
"""Hugging Face's name of a model in one file."""
INDEX = "model.safetensors.index.json"
"""Hugging Face's index of which file of a directory holds which tensor."""

DTYPES = {"BF16": jnp.bfloat16, "F16": jnp.float16, "F32": jnp.float32, "F64": jnp.float64}
"""The dtypes of the safetensors format that are accepted for weights."""

STORED = {name: np.dtype(dtype) for name, dtype in DTYPES.items()} | {
    f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits // 8}")
    for kind in "IU"
    for bits in (8, 16, 32, 64)
}
STORED["BOOL"] = np.dtype(bool)
"""The dtypes of the format as numpy has them: weights, and what files have beside them."""


@dataclass(frozen=True)
class StoredTensor:
    """One tensor as stored in a file; `dtype` is a name of the safetensors format."""

    file: Path
    shape: tuple[int, ...]
    dtype: str


class TensorFiles:
    """A safetensors file, or a directory of them as Hugging Face writes it.

    tensors: name -> its file, shape and dtype.
    metadata: of a single file, as its header has it; empty for a directory.
    """

    def __init__(self, path: Path):
        """Reads the headers only.

        Of a directory, these are the files of its index, else `model.safetensors`, else all
        `*.safetensors`. In Hugging Face's cache, `models--ORGANISATION--NAME` stands for the
        snapshot of its main branch, and files may be links: their own names count, not the names
        of what they point to.

        Raises:
            InputError: there are no files, or two that could be the whole model; a file is missing,
                truncated or not a safetensors one; a tensor is in two files, or not in the file
                that the index names.
        """
        path = local_snapshot(path)
        local_path(path)
        self.path = path
        self.tensors: dict[str, StoredTensor] = {}
        self.metadata: dict[str, str] = {}
        files = _files(path)
        for file in files:
            found, metadata = _header(file)
            if twice := sorted(found.keys() & self.tensors.keys()):
                other = self.tensors[twice[0]].file
                raise InputError(f"{file}: tensor {twice[0]} is also in {other.name}")
            self.tensors |= found
            self.metadata = metadata if len(files) == 1 else {}
        if path.is_dir() and (path / INDEX).exists():
            for name, file_name in _index(path).items():
                stored = self.tensors.get(name)
                if stored is None or stored.file.name != file_name:
                    raise InputError(f"{path / INDEX}: tensor {name} is not in {file_name}")

    def load(self, wanted: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, jax.Array]:
        """Arrays by name, in the dtypes and shardings of `wanted`, with the stored shapes.

        Every process of a run makes the same call, and reads the bytes for its own devices.
        """
        absl_logging.set_verbosity(absl_logging.ERROR)  # Orbax logs every read
        by_file: dict[Path, dict[str, jax.ShapeDtypeStruct]] = {}
        for name, leaf in wanted.items():
            by_file.setdefault(self.tensors[name].file, {})[name] = leaf
        arrays: dict[str, jax.Array] = {}
        with ocp.Context(checkpoint_layout=ocp.options.CheckpointLayout.SAFETENSORS):
            for file, leaves in by_file.items():
                try:
                    arrays |= ocp.load(local_path(file), leaves)
                except (OSError, ValueError) as error:
                    raise InputError(f"{file}: cannot be read: {error}") from error
        return arrays


def map_tensors(files: TensorFiles) -> dict[str, np.ndarray]:
    """Every tensor by name as an array mapped from its file, in the dtype in which it is stored.

    Raises InputError if one has a dtype that numpy and ml_dtypes have not.
    """
    arrays: dict[str, np.ndarray] = {}
    for file in sorted({stored.file for stored in files.tensors.values()}):
        with file.open("rb") as opened:
            start = 8 + int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(start - 8))
        content = np.memmap(file, np.uint8, "r")[start:]
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] not in STORED:
                raise InputError(f"{file}: tensor {name} has the unknown dtype {entry['dtype']}")
            first, end = entry["data_offsets"]
            arrays[name] = content[first:end].view(STORED[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix != SUFFIX:
            raise InputError(
                f"{path}: its name does not end in {SUFFIX}; if it is such a file, link to it "
                "under a name that does"
            )
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or directory, hence no weights")
    whole = path / WHOLE
    if (path / INDEX).exists():
        files = [path / name for name in sorted(set(_index(path).values()))]
        if whole.exists() and whole not in files:
            raise InputError(
                f"{path}: holds both {WHOLE} and {INDEX}, which does not name it; remove the one "
                "that is out of date"
            )
    elif whole.exists():
        files = [whole]
    else:
        files = sorted(path.glob(f"*{SUFFIX}"))
    if not files:
        raise InputError(
            f"{path}: no *.safetensors files; `stepdiff convert llama {path} --to DIR` makes them "
            "from *.bin and *.pth files"
        )
    return files


def _index(directory: Path) -> dict[str, str]:
    """Tensor name -> file name."""
    path = directory / INDEX
    try:
        table = json.loads(path.read_text())["weight_map"]
        return {str(name): str(file) for name, file in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not an index of safetensors files: {error!r}") from error


def _header(file: Path) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    # Orbax would report a truncated file too, but only when it reads it.
    try:
        with safe_open(file, framework="numpy") as opened:
            names = opened.keys()
            slices: dict[str, Any] = {name: opened.get_slice(name) for name in names}
            tensors = {
                name: StoredTensor(file, tuple(one.get_shape()), one.get_dtype())
                for name, one in slices.items()
            }
            metadata = dict(opened.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file}: not a complete safetensors file: {error}") from error
    return tensors, metadata
