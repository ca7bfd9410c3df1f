"""A published checkpoint's tensors as the arrays of our encoder, in memory and in pure numpy."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.weights.published.internvideo_config import naming_of
from stepdiff_jax.weights.published.internvideo_names import Source, source_table

UNUSED = ("text_mask_embedding", "caption_decoder.")  # for masked-language training and captions


def from_state_dict(state: Mapping[str, np.ndarray], config: EncoderConfig) -> dict[str, Any]:
    """The arrays of ``InternVideo(config)``, nested by attribute, in ``config.dtype``.

    ``state`` has InternVideo's names without their ``clip.`` prefix, or those of
    ``transformers.CLIPModel``. Put the result into a model with ``nnx.update(model, arrays)``.
    """
    left = {name for name in state if not name.startswith(UNUSED)}
    arrays: dict[str, Any] = {}

    def read(source: Source) -> np.ndarray:
        left.discard(source.key)
        dtype = np.float32 if source.key == "logit_scale" else jnp.dtype(config.dtype)
        return source.convert(state[source.key]).astype(dtype, copy=False)

    for path, source in source_table(config, naming_of(state)).items():
        *parents, leaf = path
        node = arrays
        for name in parents:
            node = node.setdefault(name, {})
        if isinstance(source, Source):
            node[leaf] = read(source)
        else:
            node[leaf] = np.stack([read(layer) for layer in source])
    assert not left, f"unread: {left}"
    return arrays
