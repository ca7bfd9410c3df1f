"""The encoder's config, from the names and shapes of a published checkpoint's tensors."""

from collections.abc import Mapping

import numpy as np

from stepdiff_jax.config import DType, EncoderConfig, TextTowerConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.weights.published.internvideo_names import (
    EXTRACTORS,
    HUGGING_FACE,
    INTERNVIDEO,
    Naming,
)

HEAD_WIDTH = 64  # in every published CLIP and InternVideo

State = Mapping[str, np.ndarray]


def naming_of(state: State) -> Naming:
    """The naming that a checkpoint uses; raises InputError if it is neither of the two."""
    for naming in (INTERNVIDEO, HUGGING_FACE):
        if naming.patch_kernel in state:
            return naming
    raise InputError(
        f"not an InternVideo or CLIP checkpoint: neither {INTERNVIDEO.patch_kernel!r} nor "
        f"{HUGGING_FACE.patch_kernel!r} is in it"
    )


def config_from_state_dict(
    state: State,
    *,
    frames: int = 8,
    heads: int | None = None,
    text_heads: int | None = None,
    dtype: DType = "bfloat16",
) -> EncoderConfig:
    """The config that the tensors' shapes imply; heads are 64 wide unless their number is given.

    Raises:
        InputError: a tensor is missing or has another number of axes; the number of heads is not
            given, and the width is not a multiple of 64.

    UniBlocks are numbered from 0: they belong to the last blocks, as in every published model.
    """
    naming = naming_of(state)

    def shape(key: str) -> tuple[int, ...]:
        if key not in state:
            raise InputError(f"checkpoint has no tensor {key!r}")
        return state[key].shape

    def axes(key: str, number: int) -> tuple[int, ...]:
        if len(shape(key)) != number:
            raise InputError(f"{key} has shape {shape(key)}, expected {number} axes")
        return shape(key)

    def heads_of(width: int, given: int | None) -> int:
        if given is None and width % HEAD_WIDTH:
            raise InputError(
                f"a width of {width} is not a multiple of {HEAD_WIDTH}, so the number of heads is "
                "unknown: a config.json beside the weights must say it"
            )
        return given or width // HEAD_WIDTH

    def count(prefix: str) -> int:
        return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})

    width, *_, patch = axes(naming.patch_kernel, 4 + naming.patch_has_time)
    positions, _ = axes(naming.position_embedding, 2)
    vocabulary_size, text_width = axes(naming.token_embedding, 2)
    layers, extractors = count(naming.blocks), count(EXTRACTORS)
    image_size = patch * round((positions - 1) ** 0.5)
    return EncoderConfig(
        image_size=image_size,
        resized_side=image_size * 256 // 224,
        patch_size=patch,
        frames=frames,
        width=width,
        heads=heads_of(width, heads),
        layers=layers,
        mlp_width=axes(f"{naming.blocks}0.{naming.mlp_up}.bias", 1)[0],
        uniblock_layers=tuple(range(layers - extractors, layers)),
        embedding_width=axes(naming.projection, 2)[0 if naming.projection_is_linear else 1],
        text=TextTowerConfig(
            vocabulary_size=vocabulary_size,
            context=axes(naming.text_position_embedding, 2)[0],
            width=text_width,
            heads=heads_of(text_width, text_heads),
            layers=count(naming.text_blocks),
            mlp_width=axes(f"{naming.text_blocks}0.{naming.mlp_up}.bias", 1)[0],
        ),
        dtype=dtype,
    )
