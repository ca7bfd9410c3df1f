"""Position embeddings for another image size than that of the encoder's weights.

Interpolated bicubically, as CLIP's fine-tunes do: torch.nn.functional.interpolate with
mode="bicubic" and align_corners=False. The class token's embedding stays as it is.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

CUBIC = -0.75
"""The free coefficient of the cubic convolution kernel (Keys 1981), as torch has it."""


def grid_side(positions: int) -> int | None:
    """Patches along one side of an image with a class token and `positions - 1` patches; None if
    these are no square."""
    side = math.isqrt(max(positions - 1, 0))
    return side if side and side * side == positions - 1 else None


def interpolate_positions(embedding: jax.Array, side: int) -> jax.Array:
    """``[1 + old * old, width] -> [1 + side * side, width]``, computed and returned in float32."""
    old = grid_side(embedding.shape[0])
    assert old is not None
    embedding = embedding.astype(jnp.float32)
    grid = embedding[1:].reshape(old, old, -1)
    weights = jnp.asarray(_bicubic(old, side))
    with jax.default_matmul_precision("highest"):
        resized = jnp.einsum("io,jp,opw->ijw", weights, weights, grid)
    return jnp.concatenate([embedding[:1], resized.reshape(side * side, -1)])


def _bicubic(old: int, new: int) -> np.ndarray:
    """float32 [new, old]: the weight of each old place in each new one."""
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(centres).astype(int)
    weights = np.zeros((new, old))
    for offset in (-1, 0, 1, 2):
        places = np.clip(first + offset, 0, old - 1)  # beyond an edge, the edge is repeated
        np.add.at(weights, (np.arange(new), places), _kernel(np.abs(centres - first - offset)))
    return weights.astype(np.float32)


def _kernel(distance: np.ndarray) -> np.ndarray:
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
    far = ((CUBIC * distance - 5 * CUBIC) * distance + 8 * CUBIC) * distance - 4 * CUBIC
    return np.where(distance <= 1, near, far)
