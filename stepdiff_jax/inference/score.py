"""Likelihoods of answers (paper, section 3.4: DiffMCQ and DiffRank)."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.inference.requests import Request, batch_requests
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.vclm import VCLM, answer_tokens
from stepdiff_jax.sharding import constrain, on_its_mesh

ANSWER_STEP = 32
"""Answer tokens per row are rounded up to a multiple of this, so that few programs are compiled."""


@on_its_mesh
@partial(jax.jit, static_argnames=("segments", "answers"))
def segment_log_likelihoods(
    model: VCLM, rows: PackedRows, latents: jax.Array, segments: int, answers: int
) -> jax.Array:
    """Sum of the log-probabilities of each segment's answer tokens.

    Args:
        rows: [B, L]; tokens with a loss mask are answers, whatever their weight.
        latents: [B, V, latents, E].
        answers: an upper bound on the answer tokens of any row.
    Returns:
        float32 [B, segments]: of segments 1, 2, ...; 0 if a segment has no answer.
    """
    scored = answer_tokens(model, rows, latents, answers)
    segment = jnp.take_along_axis(rows.segment, scored.position, 1)
    log_probability = jnp.where(scored.weight > 0, scored.log_probability, 0.0)
    belongs = segment[:, None] == jnp.arange(1, segments + 1)[None, :, None]
    return constrain(jnp.sum(jnp.where(belongs, log_probability[:, None], 0.0), axis=-1))


def log_likelihoods(
    model: VCLM,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    latents: jax.Array | None = None,
    *,
    batch_rows: int = 16,
    branches: int = 4,
) -> np.ndarray:
    """log p(answer | conversation) of each request, in nats, without the end token.

    Args:
        latents: [clips, latents, E] of the clips that the requests show; None for text alone.
        batch_rows: rows per batch; branches: how many requests of equal prefix may share a row.
    Returns:
        float32 [requests]; the sum over all tokens of the answer.
    Raises:
        InputError: a request shows a clip that has no latents.
    """
    scores = np.zeros(len(requests), np.float32)
    for batch in batch_requests(
        requests,
        tokenizer,
        latents,
        width=model.llama.config.width,
        batch_rows=batch_rows,
        branches=branches,
    ):
        most = int(np.count_nonzero(batch.rows.loss_mask, axis=1).max())
        answers = max(1, -(-most // ANSWER_STEP)) * ANSWER_STEP
        by_segment = segment_log_likelihoods(
            model, batch.rows, batch.latents, branches + 1, answers
        )
        asked = batch.requests >= 0
        scores[batch.requests[asked]] = np.asarray(by_segment)[:, 1:][asked]
    return scores
