"""Safetensors files written one tensor at a time, in shards as Hugging Face has them.

The safetensors library writes a file from arrays that are all in memory; a 70B model's are not.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from stepdiff_jax.weights.tensor_files import INDEX

SHARD_BYTES = 5_000_000_000
"""Of one file at most, as transformers writes them."""

CODES = {
    np.dtype(np.float16): "F16",
    np.dtype(np.float32): "F32",
    np.dtype(np.float64): "F64",
    np.dtype(ml_dtypes.bfloat16): "BF16",
}


@dataclass(frozen=True)
class Pending:
    """A tensor to write: `read` makes its array when its turn has come."""

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
        name -> file name.
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
    """One safetensors file: 8 bytes of the header's length, the header as JSON, the tensors."""
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
    text += b" " * (-len(text) % 8)  # so that the tensors are aligned
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            array = np.asarray(tensor.read(), order="C")
            if array.shape != tensor.shape or array.dtype != tensor.dtype:
                raise ValueError(
                    f"{tensor.name}: {array.dtype} {array.shape} was made, {tensor.dtype} "
                    f"{tensor.shape} was promised"
                )
            file.write(array.reshape(-1).view(np.uint8).data)
