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

    UniBlocks are numbered from 0: they belong to the last blocks, as in every published model.
    """
    naming = naming_of(state)

    def shape(key: str) -> tuple[int, ...]:
        if key not in state:
            raise InputError(f"checkpoint has no tensor {key!r}")
        return state[key].shape

    def count(prefix: str) -> int:
        return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})

    width, *_, patch = shape(naming.patch_kernel)
    positions, _ = shape(naming.position_embedding)
    vocabulary_size, text_width = shape(naming.token_embedding)
    layers, extractors = count(naming.blocks), count(EXTRACTORS)
    image_size = patch * round((positions - 1) ** 0.5)
    return EncoderConfig(
        image_size=image_size,
        resized_side=image_size * 256 // 224,
        patch_size=patch,
        frames=frames,
        width=width,
        heads=heads or width // HEAD_WIDTH,
        layers=layers,
        mlp_width=shape(f"{naming.blocks}0.{naming.mlp_up}.bias")[0],
        uniblock_layers=tuple(range(layers - extractors, layers)),
        embedding_width=shape(naming.projection)[0 if naming.projection_is_linear else 1],
        text=TextTowerConfig(
            vocabulary_size=vocabulary_size,
            context=shape(naming.text_position_embedding)[0],
            width=text_width,
            heads=text_heads or text_width // HEAD_WIDTH,
            layers=count(naming.text_blocks),
            mlp_width=shape(f"{naming.text_blocks}0.{naming.mlp_up}.bias")[0],
        ),
        dtype=dtype,
    )
