"""InternVideo's Lightning checkpoint, and CLIP in Hugging Face's and OpenAI's formats.

Each becomes one file of our encoder's arrays. Names and shapes are in `internvideo_names`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from flax import nnx

from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.snapshots import local_snapshot
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.load import named_leaves
from stepdiff_jax.weights.published.clip_config import read_clip_heads
from stepdiff_jax.weights.published.internvideo_config import config_from_state_dict, naming_of
from stepdiff_jax.weights.published.internvideo_names import Source, source_table
from stepdiff_jax.weights.published.pickles import open_bins, open_pickle
from stepdiff_jax.weights.shards import Pending, require_float
from stepdiff_jax.weights.tensor_files import TensorFiles, map_tensors
from stepdiff_jax.weights.tensors import Ignored, Row, check_shapes

PREFIX = "clip."
"""The prefix of the encoder's tensors in the Lightning checkpoint."""

UNIBLOCKS = 4
"""The number of UniBlocks of InternVideo-MM-L-14, attached to its last blocks."""

REASONS = {
    "text_mask_embedding": "for masked-language training only",
    "caption_decoder.": "the caption decoder is not part of the encoder",
    "input_resolution": "follows from the shapes",
    "context_length": "follows from the shapes",
    "vocab_size": "follows from the shapes",
}
BUFFERS = (".position_ids", "attn_mask")
"""Endings of what older versions of transformers and open_clip store beside the weights."""

OPENAI = {"visual.proj": "visual_proj", "visual.ln_post.": "visual_ln_post."}
"""OpenAI's names that differ from InternVideo's -> InternVideo's."""


@dataclass
class EncoderSource:
    """An encoder in a published file: its config, and our arrays to write."""

    config: EncoderConfig
    kind: str
    tensors: list[Pending] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)


def open_internvideo(
    path: Path, *, heads: int | None = None, text_heads: int | None = None
) -> EncoderSource:
    """`InternVideo-MM-L-14.ckpt`; heads are 64 wide unless their number is given.

    Raises InputError if it is broken, would run code, or a tensor is missing, unknown or misshapen.
    """
    ignored, state = [], {}
    for name, array in open_pickle(path).items():
        plain = name.removeprefix(PREFIX)
        reason = _reason(plain)
        if reason:
            ignored.append(Ignored(path.name, name, reason))
        elif plain == name:
            ignored.append(Ignored(path.name, name, f"does not begin with {PREFIX!r}"))
        else:
            state[plain] = array
    try:
        config = config_from_state_dict(state, heads=heads, text_heads=text_heads)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not config.uniblock_layers:
        raise InputError(f"{path}: has no UniBlocks, so it is not InternVideo's")
    return _source(config, "internvideo", state, path, ignored)


def open_clip(
    path: Path, *, heads: int | None = None, text_heads: int | None = None
) -> EncoderSource:
    """CLIP: Hugging Face's directory or safetensors file, or OpenAI's `.pt`; no UniBlocks.

    Unless given, the number of heads is that of Hugging Face's config.json, or else follows from a
    width of 64 per head.

    Raises InputError as `open_internvideo` does.
    """
    state, ignored = _clip_state(path)
    config = _clip_config(path, state, heads, text_heads)
    return _source(config, "clip", state, path, ignored)


def open_clip_as_internvideo(path: Path) -> EncoderSource:
    """CLIP's weights in InternVideo's shapes, with UniBlocks as before InternVideo's training.

    Tokens and pooled features are CLIP's: a stand-in of the same shape, not InternVideo.

    Raises InputError as `open_internvideo` does.
    """
    state, ignored = _clip_state(path)
    plain = _clip_config(path, state)
    upper = tuple(range(plain.layers - min(UNIBLOCKS, plain.layers), plain.layers))
    config = replace(plain, uniblock_layers=upper)
    made: dict[str, np.ndarray] = {}
    for source in _sources(config, state).values():
        for one in [source] if isinstance(source, Source) else source:
            if one.key not in state:
                is_scale = one.key.endswith("weight") and ".ln_" in one.key
                made[one.key] = np.full(one.shape, float(is_scale), np.float32)
    return _source(config, "clip-as-internvideo", {**state, **made}, path, ignored)


def _clip_state(path: Path) -> tuple[dict[str, np.ndarray], list[Ignored]]:
    """Tensors under Hugging Face's or InternVideo's names."""
    path = local_snapshot(path)
    if path.is_dir() and not any(path.glob("*.safetensors")):
        found = {name: array for name, (_, array) in open_bins(path).items()}
        if not found:
            raise InputError(f"{path}: holds neither *.safetensors nor pytorch_model*.bin")
    elif path.is_dir() or path.suffix == ".safetensors":
        found = map_tensors(TensorFiles(path))
    else:
        found = open_pickle(path)
    ignored, state = [], {}
    for name, array in found.items():
        reason = _reason(name)
        if reason:
            ignored.append(Ignored(path.name, name, reason))
            continue
        for theirs, ours in OPENAI.items():
            name = ours + name.removeprefix(theirs) if name.startswith(theirs) else name
        if name == "visual.conv1.weight" and array.ndim == 4:
            array = array[:, :, None]
        state[name] = array
    return state, ignored


def _clip_config(
    path: Path,
    state: Mapping[str, np.ndarray],
    heads: int | None = None,
    text_heads: int | None = None,
) -> EncoderConfig:
    """The config from the shapes; heads as given, or from config.json, or else 64 wide."""
    vision, text = read_clip_heads(local_snapshot(path))
    try:
        return config_from_state_dict(state, heads=heads or vision, text_heads=text_heads or text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _sources(config: EncoderConfig, state: Mapping[str, np.ndarray]) -> dict:
    return source_table(config, naming_of(state))


def _source(
    config: EncoderConfig,
    kind: str,
    state: Mapping[str, np.ndarray],
    path: Path,
    ignored: list[Ignored],
) -> EncoderSource:
    made = EncoderSource(config, kind, ignored=ignored)
    leaves = named_leaves(nnx.state(nnx.eval_shape(lambda: InternVideo(config, rngs=nnx.Rngs(0)))))
    table = _sources(config, state)
    _check(table, state, path)
    for target, source in table.items():
        layers = [source] if isinstance(source, Source) else source
        name = ".".join(target)
        dtypes = {state[layer.key].dtype for layer in layers}
        for layer in layers:
            require_float(path, layer.key, state[layer.key].dtype)
        # Layers that are stored in several dtypes become float32.
        dtype = np.dtype(np.float32) if dtypes - {state[layers[0].key].dtype} else dtypes.pop()
        made.tensors.append(Pending(name, leaves[name].shape, dtype, _reader(source, state, dtype)))
        made.rows += [
            Row(
                name if isinstance(source, Source) else f"{name}[{index}]",
                tuple(state[layer.key].shape),
                str(state[layer.key].dtype),
                path.name,
                layer.key,
            )
            for index, layer in enumerate(layers)
        ]
    return made


def _reader(
    source: Source | list[Source], state: Mapping[str, np.ndarray], dtype: np.dtype
) -> Callable[[], np.ndarray]:
    if isinstance(source, Source):
        return lambda: source.convert(state[source.key])
    return lambda: np.stack([layer.convert(state[layer.key]).astype(dtype) for layer in source])


def _check(table: Mapping, state: Mapping[str, np.ndarray], path: Path) -> None:
    expected = {
        layer.key: layer.shape
        for source in table.values()
        for layer in ([source] if isinstance(source, Source) else source)
    }
    check_shapes(path, expected, {name: array.shape for name, array in state.items()})


def _reason(name: str) -> str:
    if name.endswith(BUFFERS):
        return "follows from the shapes"
    return next((why for start, why in REASONS.items() if name.startswith(start)), "")
