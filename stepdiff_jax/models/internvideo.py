"""InternVideo-MM-L-14: video tower, text tower and their similarity (Wang et al. 2022).

The frozen encoder of StepDiff. CLIP ViT-L/14 is the same network without UniBlocks. Its blocks
attend within one frame only, so the tokens carry no time; only the pooled feature mixes frames.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import constant, normal, zeros

from stepdiff_jax.check_config import check_encoder
from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.models.text_tower import TextTower
from stepdiff_jax.models.uniblock import UniBlock
from stepdiff_jax.models.variables import LogicalAxes, Weight, make_weight
from stepdiff_jax.models.vit import Block, LayerNorm, run_blocks, scan_layers, stack

INITIAL_LOGIT_SCALE = 2.6592600  # ln(1 / 0.07), CLIP section 2.5


class VideoTower(nnx.Module):
    """Per-frame vision transformer with UniBlocks that pool over time.

    Blocks are in two stacks: ``lower``, and ``upper`` with one UniBlock after each.
    """

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs):
        width, patch, dtype = config.width, config.patch_size, config.dtype
        patches = (config.image_size // patch) ** 2
        upper = len(config.uniblock_layers)

        def block(rngs: nnx.Rngs) -> Block:
            sizes = (width, config.heads, config.mlp_width, config.layers)
            return Block(*sizes, dtype=dtype, rngs=rngs)

        def uniblock(rngs: nnx.Rngs) -> UniBlock:
            return UniBlock(width, config.heads, config.mlp_width, dtype=dtype, rngs=rngs)

        def weight(deviation: float, shape: tuple[int, ...], axes: LogicalAxes) -> Weight:
            return make_weight(normal(deviation), rngs.params(), shape, dtype, axes)

        self.patch_kernel = weight(
            (3 * patch**2) ** -0.5, (patch, patch, 3, width), (None, None, None, "embed")
        )
        scale = width**-0.5
        self.class_embedding = weight(scale, (width,), ("embed",))
        self.position_embedding = weight(scale, (1 + patches, width), (None, "embed"))
        self.ln_pre = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.lower = stack(config.layers - upper, block, rngs)
        self.upper = stack(upper, block, rngs)
        self.uniblocks = stack(upper, uniblock, rngs)
        if upper:
            self.temporal_class = make_weight(zeros, rngs.params(), (width,), dtype, ("embed",))
            self.balance = make_weight(zeros, rngs.params(), (width,), dtype, ("embed",))
        self.ln_post = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.projection = weight(scale, (width, config.embedding_width), ("embed", None))

    def embed(self, video: jax.Array) -> jax.Array:
        """``[N, T, H, W, 3] -> [N * T, 1 + patches, width]``: the input to the first block."""
        kernel = self.patch_kernel[...]
        patch, _, channels, width = kernel.shape
        frames = video.reshape(-1, *video.shape[2:]).astype(kernel.dtype)
        count, height, breadth, _ = frames.shape
        rows, columns = height // patch, breadth // patch
        cut = frames.reshape(count, rows, patch, columns, patch, channels).swapaxes(2, 3)
        patches = cut.reshape(count, rows * columns, -1) @ kernel.reshape(-1, width)
        classes = jnp.broadcast_to(self.class_embedding[...], (count, 1, width))
        x = jnp.concatenate([classes, patches], axis=1) + self.position_embedding[...]
        return self.ln_pre(x)

    def tokens(self, video: jax.Array) -> jax.Array:
        """Tokens only; the UniBlocks are not run."""
        x = run_blocks(run_blocks(self.embed(video), self.lower), self.upper)
        return _without_class(x, video)

    def tokens_and_feature(self, video: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Tokens ``[N, T * patches, width]`` and the feature ``[N, embedding_width]``."""
        x = run_blocks(self.embed(video), self.lower)
        if self.uniblocks is None:
            pooled = _mean_class(x, video)
        else:
            x, extracted = self._run_upper(x, video)
            share = jax.nn.sigmoid(self.balance[...])
            pooled = (1 - share) * extracted + share * _mean_class(x, video)
        return _without_class(x, video), self.ln_post(pooled) @ self.projection[...]

    def _run_upper(self, x: jax.Array, video: jax.Array) -> tuple[jax.Array, jax.Array]:
        count, frames = video.shape[:2]

        def step(
            carry: tuple[jax.Array, jax.Array], layer: tuple[Block, UniBlock]
        ) -> tuple[tuple[jax.Array, jax.Array], None]:
            (x, pooled), (block, uniblock) = carry, layer
            x = block(x)
            return (x, uniblock(pooled, x, frames)), None

        start = jnp.broadcast_to(self.temporal_class[...], (count, x.shape[-1]))
        return scan_layers(step, (x, start), (self.upper, self.uniblocks))


class InternVideo(nnx.Module):
    """The encoder: video and text towers with a shared embedding space.

    ``video`` is float ``[N, T, H, W, 3]``, normalised by `stepdiff_jax.data.preprocess`; T is
    arbitrary (T=1 is an image), H and W are ``config.image_size``.
    """

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs):
        check_encoder(config)
        self.video = VideoTower(config, rngs=rngs)
        self.text = TextTower(config.text, config.embedding_width, dtype=config.dtype, rngs=rngs)
        self.logit_scale = make_weight(
            constant(INITIAL_LOGIT_SCALE), rngs.params(), (), jnp.float32, ()
        )

    def tokens(self, video: jax.Array) -> jax.Array:
        """``[N, T * patches, width]``, time-major, no class tokens, raw from the last block."""
        return self.video.tokens(video)

    def video_feature(self, video: jax.Array) -> jax.Array:
        """``[N, embedding_width]``, not normalised."""
        return self.video.tokens_and_feature(video)[1]

    def tokens_and_feature(self, video: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`tokens` and `video_feature` in one pass."""
        return self.video.tokens_and_feature(video)

    def text_feature(self, ids: jax.Array) -> jax.Array:
        """``ids int32 [N, context] -> [N, embedding_width]``, not normalised."""
        return self.text(ids)

    def similarity(self, video_feature: jax.Array, text_feature: jax.Array) -> jax.Array:
        """``[N_video, N_text]`` float32: ``exp(logit_scale)`` times the cosine."""
        cosine = _normalized(video_feature) @ _normalized(text_feature).T
        return jnp.exp(self.logit_scale[...]) * cosine


def _normalized(feature: jax.Array) -> jax.Array:
    feature = feature.astype(jnp.float32)
    return feature / jnp.linalg.norm(feature, axis=-1, keepdims=True)


def _without_class(x: jax.Array, video: jax.Array) -> jax.Array:
    return x[:, 1:].reshape(video.shape[0], -1, x.shape[-1])


def _mean_class(x: jax.Array, video: jax.Array) -> jax.Array:
    return x[:, 0].reshape(*video.shape[:2], -1).mean(1)
