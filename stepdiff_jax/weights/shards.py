"""Writes safetensors files one tensor at a time, sharded like Hugging Face's.

The safetensors library needs all arrays of a file in memory; a 70B model does not fit.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from stepdiff_jax.errors import InputError
from stepdiff_jax.weights.tensor_files import INDEX

SHARD_BYTES = 5_000_000_000
"""Maximum size of a file, as in transformers."""

CODES = {
    np.dtype(np.float16): "F16",
    np.dtype(np.float32): "F32",
    np.dtype(np.float64): "F64",
    np.dtype(ml_dtypes.bfloat16): "BF16",
}


def require_float(file: Path, name: str, dtype: np.dtype) -> None:
    """Raise InputError unless a tensor to be written has one of the dtypes in `CODES`."""
    if dtype not in CODES:
        known = ", ".join(map(str, CODES))
        raise InputError(f"{file}: tensor {name} has dtype {dtype}; known: {known}")


@dataclass(frozen=True)
class Pending:
    """A tensor to write: `read` produces its array when it is written."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @property
    def bytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize


def write_shards(
    directory: Path, tensors: Sequence[Pending], *, limit: int = SHARD_BYTES
) -> dict[str, str]:
    """Write `model*.safetensors` and, if there are several, their index.

    Returns:
        tensor name -> file name.
    """
    groups: list[list[Pending]] = [[]]
    for tensor in tensors:
        if groups[-1] and sum(one.bytes for one in groups[-1]) + tensor.bytes > limit:
            groups.append([])
        groups[-1].append(tensor)
    table: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        alone = len(groups) == 1
        name = (
            "model.safetensors" if alone else f"model-{number:05}-of-{len(groups):05}.safetensors"
        )
        write_file(directory / name, group, {"format": "pt"})
        table |= {tensor.name: name for tensor in group}
    if len(groups) > 1:
        total = sum(tensor.bytes for tensor in tensors)
        index = {"metadata": {"total_size": total}, "weight_map": table}
        (directory / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    return table


def write_file(path: Path, tensors: Sequence[Pending], metadata: Mapping[str, str]) -> None:
    """Write one safetensors file: 8 bytes of header length, the header as JSON, the tensors."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for tensor in tensors:
        start, end = end, end + tensor.bytes
        header[tensor.name] = {
            "dtype": CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # aligns the tensors
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            array = np.asarray(tensor.read(), order="C")
            if array.shape != tensor.shape or array.dtype != tensor.dtype:
                raise ValueError(
                    f"{tensor.name}: got {array.dtype} {array.shape}, expected {tensor.dtype} "
                    f"{tensor.shape}"
                )
            file.write(array.reshape(-1).view(np.uint8).data)
