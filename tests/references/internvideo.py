"""The encoders whose weights stand in the stored reference outputs, and those outputs.

`iv_small.npz` is of the original InternVideo classes, `clip_small.npz` of transformers' CLIPModel:
small, random weights, float32. `prep_small.npz` is of InternVideo's own preprocessing.
"""

import ast
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from references.internvideo_state import from_state_dict
from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.published.internvideo_config import config_from_state_dict

DIRECTORY = Path(__file__).parents[1] / "fixtures" / "internvideo"
HEADS = {"heads": 4, "text_heads": 3}  # not 64 wide, so not to be read from the shapes


@functools.cache
def outputs(name: str) -> dict[str, np.ndarray]:
    """The arrays of a fixture, weights excluded."""
    with np.load(DIRECTORY / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files if not key.startswith("sd/")}


@functools.cache
def state_dict(name: str) -> dict[str, np.ndarray]:
    """The weights of a fixture, by their names in the checkpoint."""
    with np.load(DIRECTORY / f"{name}.npz") as arrays:
        return {key[3:]: arrays[key] for key in arrays.files if key.startswith("sd/")}


@functools.cache
def encoder(name: str) -> InternVideo:
    """Our model with a fixture's weights."""
    state = state_dict(name)
    config = config_from_state_dict(state, dtype="float32", **HEADS)
    return with_weights(config, state)


def with_weights(config: EncoderConfig, state: dict[str, np.ndarray]) -> InternVideo:
    model = nnx.eval_shape(lambda: InternVideo(config, rngs=nnx.Rngs(0)))
    nnx.update(model, from_state_dict(state, config))
    return model


def random_encoder(config: EncoderConfig) -> InternVideo:
    """Every weight drawn by numpy, no zeros: JAX would compile a sampler for each shape."""
    graph, state = nnx.split(nnx.eval_shape(lambda: InternVideo(config, rngs=nnx.Rngs(0))))
    random = np.random.default_rng(0)

    def draw(weight: jax.ShapeDtypeStruct) -> jax.Array:
        return jnp.asarray(random.normal(0, 0.3, weight.shape), weight.dtype)

    return nnx.merge(graph, jax.tree.map(draw, state))


def published_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Every tensor of a checkpoint at L/14: `iv_l14_keys.tsv` or `hf_clip_l14_keys.tsv`."""
    lines = (DIRECTORY / f"{name}.tsv").read_text().splitlines()
    return {key: ast.literal_eval(shape) for key, shape in (line.split("\t") for line in lines)}
