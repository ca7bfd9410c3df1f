"""Tensors in torch's pickles, mapped from disk; the only module of the package that imports torch.

Weights-only: a pickle that would run code is refused, and none of it runs. The `[torch]` extra is
needed only for the one-time rewrite of such files.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from stepdiff_jax.errors import InputError


def open_pickle(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict, or of a Lightning checkpoint's "state_dict", by name.

    Arrays are views of the file: their bytes are read on use. bfloat16 is ml_dtypes'.

    Raises:
        InputError: torch is not installed; the file is missing, broken, would run code, or holds
            no named tensors.
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
    return {name: _array(torch, tensor) for name, tensor in stored.items()}


def _load(path: Path) -> Any:
    torch = _torch(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
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


def _array(torch: Any, tensor: Any) -> np.ndarray:
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()
