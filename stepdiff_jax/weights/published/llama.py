"""Older file formats of Llama, read as the tensors of `transformers.LlamaForCausalLM`.

Two formats: `pytorch_model*.bin` with a config.json, and Meta's `consolidated.*.pth` with a
params.json (github.com/meta-llama/llama, model.py: how parts are split among processes).
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Family
from stepdiff_jax.families.common.llama_tensors import EMBEDDING, HEAD
from stepdiff_jax.families.common.snapshots import local_snapshot
from stepdiff_jax.weights.published.pickles import open_bins, open_pickle
from stepdiff_jax.weights.shards import Pending, require_float
from stepdiff_jax.weights.tensors import Ignored, Row

META_HEAD = "output.weight"
META_LAYERS = {
    "attention.wq": ("self_attn.q_proj", 0),
    "attention.wk": ("self_attn.k_proj", 0),
    "attention.wv": ("self_attn.v_proj", 0),
    "attention.wo": ("self_attn.o_proj", 1),
    "feed_forward.w1": ("mlp.gate_proj", 0),
    "feed_forward.w3": ("mlp.up_proj", 0),
    "feed_forward.w2": ("mlp.down_proj", 1),
    "attention_norm": ("input_layernorm", None),
    "ffn_norm": ("post_attention_layernorm", None),
}
"""Meta's name -> transformers', and the axis that is split among parts (None: each has all)."""


class LlamaSource:
    """A Llama in an older format: its config, its tensors, and where each comes from."""

    def __init__(self, config: LlamaConfig, config_json: dict[str, Any]):
        self.config, self.config_json = config, config_json
        self.tensors: list[Pending] = []
        self.rows: list[Row] = []
        self.ignored: list[Ignored] = []

    def add(self, name: str, array: np.ndarray, read: Callable[[], np.ndarray], row: Row) -> None:
        self.tensors.append(Pending(name, row.shape, array.dtype, read))
        self.rows.append(row)


def open_llama(directory: Path, family: Family) -> LlamaSource:
    """Open a directory of either format; tensors are checked now and read when they are written.

    Raises:
        InputError: neither format is found; a part is missing or broken; a tensor is missing,
            unknown or misshapen; or the model is of another family.
    """
    directory = local_snapshot(directory)
    if (directory / "params.json").exists():
        return _open_meta(directory, family)
    if any(directory.glob("pytorch_model*.bin")):
        return _open_bins(directory, family)
    if any(directory.glob("*.safetensors")):
        raise InputError(
            f"{directory}: holds *.safetensors, which need no conversion: it can be an "
            "experiment's weights.llama"
        )
    raise InputError(
        f"{directory}: holds neither pytorch_model*.bin nor params.json with consolidated.*.pth"
    )


def _open_bins(directory: Path, family: Family) -> LlamaSource:
    config = family.read_config(directory)
    source = LlamaSource(config, json.loads((directory / "config.json").read_text()))
    found = open_bins(directory)
    expected = {tensor.name: tensor for tensor in family.tensors(config)}
    for name, (file, _) in found.items():
        reason = family.left_out(name, config)
        if reason is not None:
            if name == HEAD and not np.array_equal(found[HEAD][1], found[EMBEDDING][1]):
                raise InputError(f"{file}: {HEAD} is not {EMBEDDING}, but config.json ties them")
            source.ignored.append(Ignored(file.name, name, reason))
        elif name not in expected:
            raise InputError(f"{file}: unknown tensor {name}")
    for name, tensor in expected.items():
        if name not in found:
            raise InputError(f"{directory}: missing tensor {name}")
        file, array = found[name]
        _require_shape(file, name, array.shape, tensor.shape)
        require_float(file, name, array.dtype)
        row = Row(name, tensor.shape, str(array.dtype), file.name, name)
        source.add(name, array, _merger([array], None, None), row)
    return source


def _open_meta(directory: Path, family: Family) -> LlamaSource:
    files = sorted(directory.glob("consolidated.*.pth"))
    if not files or [file.name for file in files] != [
        f"consolidated.{part:02}.pth" for part in range(len(files))
    ]:
        raise InputError(f"{directory}: parts consolidated.00.pth, .01.pth, ... are not complete")
    parts = [open_pickle(file) for file in files]
    config = _meta_config(directory, files, parts, family)
    source = LlamaSource(config, family.config_json(config))
    used: set[str] = set()
    for tensor in family.tensors(config):
        name, axis = _meta_name(tensor.name)
        used.add(name)
        pieces = []
        for file, part in zip(files, parts):
            if name not in part:
                raise InputError(f"{file}: missing tensor {name}")
            pieces.append(part[name])
        if axis == -1:  # the embedding: Llama-2 splits its width, Llama-3 its vocabulary
            axis = 0 if pieces[0].shape[1] == config.width else 1
        heads = {"q_proj": config.heads, "k_proj": config.kv_heads}.get(tensor.name.split(".")[-2])
        whole = list(pieces[0].shape)
        if axis is not None:
            whole[axis] = sum(piece.shape[axis] for piece in pieces)
        _require_shape(files[0], name, tuple(whole), tensor.shape)
        for file, piece in zip(files, pieces):
            require_float(file, name, piece.dtype)
        row = Row(tensor.name, tensor.shape, str(pieces[0].dtype), _names(files), name)
        source.add(tensor.name, pieces[0], _merger(pieces, axis, heads), row)
    for name in parts[0]:
        if name == "rope.freqs":
            source.ignored.append(Ignored(files[0].name, name, "follows from rope_theta"))
        elif name == META_HEAD and config.tied_embeddings:
            _require_tied(files, parts)
            source.ignored.append(Ignored(files[0].name, name, "equal to the embedding"))
        elif name not in used:
            raise InputError(f"{files[0]}: unknown tensor {name}")
    return source


def _meta_config(
    directory: Path,
    files: Sequence[Path],
    parts: Sequence[dict[str, np.ndarray]],
    family: Family,
) -> LlamaConfig:
    """The config of params.json; vocabulary and MLP width, which it lacks, are the tensors'."""
    path = directory / "params.json"
    try:
        params = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not Meta's parameters of a Llama: {error!r}") from error
    sizes = []
    for name in (META_HEAD, "layers.0.feed_forward.w1.weight"):
        if name not in parts[0]:
            raise InputError(f"{files[0]}: missing tensor {name}")
        sizes.append(sum(part[name].shape[0] for part in parts if name in part))
    return family.read_params(path, params, *sizes)


def _require_tied(files: Sequence[Path], parts: Sequence[dict[str, np.ndarray]]) -> None:
    """Raise InputError if the head that a tied model omits is not its embedding."""
    embedding, _ = _meta_name(EMBEDDING)
    for file, part in zip(files, parts):
        if embedding in part and not np.array_equal(part[META_HEAD], part[embedding]):
            raise InputError(
                f"{file}: {META_HEAD} is not {embedding}, but the published model ties them"
            )


def _meta_name(name: str) -> tuple[str, int | None]:
    """Meta's name for a tensor of transformers, and its split axis; -1 for the embedding."""
    fixed: dict[str, tuple[str, int | None]] = {
        EMBEDDING: ("tok_embeddings.weight", -1),
        "model.norm.weight": ("norm.weight", None),
        HEAD: (META_HEAD, 0),
    }
    if name in fixed:
        return fixed[name]
    match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.weight", name)
    assert match is not None, name
    for theirs, (ours, axis) in META_LAYERS.items():
        if ours == match[2]:
            return f"layers.{match[1]}.{theirs}.weight", axis
    raise AssertionError(name)


def _merger(
    pieces: Sequence[np.ndarray], axis: int | None, heads: int | None
) -> Callable[[], np.ndarray]:
    def merge() -> np.ndarray:
        whole = pieces[0] if axis is None else np.concatenate(pieces, axis)
        return whole if heads is None else halves_of_pairs(whole, heads)

    return merge


def halves_of_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorder heads: Meta rotates neighbours (0, 1), (2, 3), ..., transformers the two halves.

    Args:
        weight: [heads * head_width, width], of queries or keys.
    """
    outputs, width = weight.shape
    pairs = weight.reshape(heads, outputs // heads // 2, 2, width)
    return pairs.swapaxes(1, 2).reshape(outputs, width)


def _require_shape(file: Path, name: str, found: tuple, wanted: tuple) -> None:
    if found != wanted:
        raise InputError(f"{file}: {name} has shape {found}, the model {wanted}")


def _names(files: Sequence[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} .. {files[-1].name}"
