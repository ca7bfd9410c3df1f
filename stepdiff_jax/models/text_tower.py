"""The text tower of CLIP and InternVideo."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import normal

from stepdiff_jax.config import TextTowerConfig
from stepdiff_jax.models.variables import make_weight
from stepdiff_jax.models.vit import Block, LayerNorm, run_blocks, stack


class TextTower(nnx.Module):
    """Causal transformer over token ids, read at the end-of-text token."""

    def __init__(
        self, config: TextTowerConfig, embedding_width: int, *, dtype: str, rngs: nnx.Rngs
    ):
        width = config.width

        def block(rngs: nnx.Rngs) -> Block:
            sizes = (width, config.heads, config.mlp_width, config.layers)
            return Block(*sizes, dtype=dtype, rngs=rngs)

        self.token_embedding = make_weight(
            normal(0.02), rngs.params(), (config.vocabulary_size, width), dtype, ("vocab", "embed")
        )
        self.position_embedding = make_weight(
            normal(0.01), rngs.params(), (config.context, width), dtype, (None, "embed")
        )
        self.blocks = stack(config.layers, block, rngs)
        self.ln_final = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.projection = make_weight(
            normal(width**-0.5), rngs.params(), (width, embedding_width), dtype, ("embed", None)
        )

    def __call__(self, ids: jax.Array) -> jax.Array:
        """``ids int32 [N, context] -> [N, embedding_width]``, not normalised.

        The end-of-text id must be the largest of the vocabulary: its first position is read, so
        anything after it (padding with zeros or with itself) has no effect.
        """
        x = self.token_embedding[...][ids] + self.position_embedding[...]
        x = run_blocks(x, self.blocks, causal=True)
        at_end = x[jnp.arange(len(ids)), ids.argmax(-1)]
        return self.ln_final(at_end) @ self.projection[...]
