"""Tensors in torch's pickles, mapped from disk; the only module of the package that imports torch.

Weights-only: a pickle that would run code is refused, and none of it runs. The `[torch]` extra is
needed only for the one-time rewrite of such files.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from stepdiff_jax.errors import InputError

BIN_INDEX = "pytorch_model.bin.index.json"
WHOLE_BIN = "pytorch_model.bin"


def open_pickle(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict, or of a Lightning checkpoint's "state_dict", by name.

    Arrays are views of the file: their bytes are read on use. Files in torch's format before 1.6,
    which cannot be mapped, are read into memory. bfloat16 is ml_dtypes'.

    Raises:
        InputError: torch is not installed; the file is missing, broken, would run code, holds no
            named tensors, or one of a kind that numpy has not (sparse, quantised).
    """
    stored = _load(path)
    if isinstance(stored, Mapping) and isinstance(stored.get("state_dict"), Mapping):
        stored = stored["state_dict"]
    torch = _torch(path)
    if not isinstance(stored, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor)
        for name, tensor in stored.items()
    ):
        raise InputError(f"{path}: holds no named tensors")
    return {name: _array(torch, tensor, f"{path}: {name}") for name, tensor in stored.items()}


def open_pickles(files: Iterable[Path]) -> dict[str, tuple[Path, np.ndarray]]:
    """Name -> file and tensor, of several files of one model.

    Raises InputError as `open_pickle`, and if a tensor is in two files.
    """
    found: dict[str, tuple[Path, np.ndarray]] = {}
    for file in files:
        for name, array in open_pickle(file).items():
            if name in found:
                raise InputError(f"{file}: tensor {name} is also in {found[name][0].name}")
            found[name] = file, array
    return found


def open_bins(directory: Path) -> dict[str, tuple[Path, np.ndarray]]:
    """Name -> file and tensor, of a directory with `pytorch_model*.bin`.

    These are the files of its index, else `pytorch_model.bin`, else all of that name.

    Raises:
        InputError: as `open_pickles`; there are two that could be the whole model; a tensor is not
            in the file that the index names.
    """
    index, whole = directory / BIN_INDEX, directory / WHOLE_BIN
    if not index.exists():
        every = sorted(directory.glob("pytorch_model*.bin"))
        return open_pickles([whole] if whole.exists() else every)
    try:
        table = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {str(name): str(file) for name, file in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{index}: not an index of files: {error!r}") from error
    if whole.exists() and WHOLE_BIN not in names.values():
        raise InputError(
            f"{directory}: holds both {WHOLE_BIN} and {BIN_INDEX}, which does not name it; remove "
            "the one that is out of date"
        )
    found = open_pickles(directory / file for file in sorted(set(names.values())))
    for name, file in names.items():
        if name not in found or found[name][0].name != file:
            raise InputError(f"{index}: tensor {name} is not in {file}")
    return found


def _load(path: Path) -> Any:
    torch = _torch(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        # The format since 1.6 is a zip archive.
        mapped = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:
        if "TorchScript" in str(error):
            return _load_script(torch, path)
        lines = str(error).strip().splitlines() or [repr(error)]
        code = "unsupported" in str(error).lower() or "weights_only" in str(error).lower()
        why = "a pickle that would run code" if code else "cannot be read"
        raise InputError(f"{path}: {why}: {lines[0]}") from error


def _load_script(torch: Any, path: Path) -> Any:
    """OpenAI's CLIP: a TorchScript archive, of which only the weights are used."""
    try:
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    except Exception as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error


def _torch(path: Path) -> Any:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise InputError(
            f'{path}: reading it requires torch: pip install "stepdiff-jax[torch]"'
        ) from error
    return torch


def _array(torch: Any, tensor: Any, what: str) -> np.ndarray:
    tensor = tensor.detach()
    try:
        if tensor.dtype == torch.bfloat16:
            return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return tensor.numpy()
    except (TypeError, RuntimeError) as error:
        kind = f"{tensor.dtype}, {tensor.layout}".replace("torch.", "")
        raise InputError(f"{what} cannot be read as an array ({kind})") from error
