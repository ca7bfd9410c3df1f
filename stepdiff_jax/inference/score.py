"""Likelihoods of answers (paper, section 3.4: DiffMCQ and DiffRank)."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.requests import Request, latents_of
from stepdiff_jax.inference.tree import Forest, Row, fill_rows
from stepdiff_jax.inference.tree_rows import TreeRows, lay_out
from stepdiff_jax.layout import tree_visible
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import constrain, on_mesh_of, whole_batches

ROW_TOKENS = (128, 192, 256, 384, 512, 768, 1024)
"""Lengths of a row to choose from, unless one question alone is longer (ours)."""

ATTENTION_WEIGHT = 8
"""What an operation of attention takes, in operations of the matrices: as measured with a narrow
model on a CPU, where the softmax is what costs (`stepdiff bench score`; ours)."""


class Likelihood(NamedTuple):
    """log p(answer | conversation) in nats, without the end token, and the answer's tokens."""

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """Nats per token; 0 for an answer without tokens."""
        return self.total / max(1, self.tokens)


@on_mesh_of(lambda model: model.llama)
@jax.jit
def answer_log_probabilities(model: VCLM, trees: TreeRows, latents: jax.Array) -> jax.Array:
    """log p of each answer token given its context: float32 [B, A], any value where there is none.

    Args:
        trees: rows [B, L]; latents: [B, V, latents, E].
    """
    rows = trees.rows
    mask = tree_visible(rows.segment, trees.above)
    hidden, _ = model.llama(model.embed(rows, latents), rows.positions, mask)
    before = jnp.take_along_axis(hidden, trees.predictor[..., None], 1)
    logits = constrain(model.llama.logits(before), "rows", None, "vocab")
    found = jnp.take_along_axis(jax.nn.log_softmax(logits), trees.target[..., None], -1)
    return constrain(found[..., 0])


def answer_likelihoods(
    model: VCLM,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    latents: np.ndarray | None = None,
    *,
    batch_rows: int = 16,
    row_tokens: int | None = None,
) -> list[Likelihood]:
    """The likelihood of each request's answer, in order.

    What several requests begin with is run once, in whatever order they come.

    Args:
        latents: [clips, latents, E] of the clips that the requests show; None for text alone.
        batch_rows: rows per batch.
        row_tokens: most tokens of a row that holds several requests; None for what costs least.
    Raises:
        InputError: a request shows a clip that has no latents.
        ValueError: a request has no answer.
    """
    clips = latents_of(latents, model.llama.config.width)
    forest = Forest(requests, tokenizer, clips.shape[1])
    if row_tokens is None:
        rows = cheapest_rows(forest, model.llama.config)
    else:
        rows = fill_rows(forest, row_tokens)
    rows.sort(key=lambda row: row.tokens)
    known = 0 if latents is None else len(latents)
    for row in rows:
        if max(row.clips, default=-1) >= known:
            raise InputError(f"a request shows clip {max(row.clips)} of {known} clips")
    likelihoods: dict[int, Likelihood] = {}
    batch_rows = whole_batches(model.llama, batch_rows)
    for start in range(0, len(rows), batch_rows):
        batch = rows[start : start + batch_rows]
        trees, shown = lay_out(batch, batch_rows, clips.shape[1])
        found = np.asarray(answer_log_probabilities(model, trees, clips[shown]), np.float64)
        for row, values in zip(batch, found):
            ends = np.cumsum([len(leaf.answer) for leaf in row.leaves])
            for leaf, part in zip(row.leaves, np.split(values, ends)):
                likelihood = Likelihood(float(part.sum()), len(part))
                likelihoods |= dict.fromkeys(leaf.requests, likelihood)
    return [likelihoods[number] for number in range(len(requests))]


def cheapest_rows(forest: Forest, llama: LlamaConfig) -> list[Row]:
    """Rows of the length of `ROW_TOKENS` that takes the fewest operations per layer (ours).

    Longer rows share more, but every token of a row is compared with all others of it.
    """
    matrices = 2 * llama.width * llama.head_width * (llama.heads + llama.kv_heads)
    matrices += 3 * llama.width * llama.mlp_width

    def cost(rows: Sequence[Row]) -> int:
        length = max(row.tokens for row in rows)
        attention = 2 * length * llama.heads * llama.head_width
        return len(rows) * length * (matrices + ATTENTION_WEIGHT * attention)

    return min((fill_rows(forest, length) for length in ROW_TOKENS), key=cost)


def log_likelihoods(
    model: VCLM,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    latents: np.ndarray | None = None,
    *,
    batch_rows: int = 16,
    row_tokens: int | None = None,
) -> np.ndarray:
    """`answer_likelihoods`' totals: float32 [requests]."""
    found = answer_likelihoods(
        model, tokenizer, requests, latents, batch_rows=batch_rows, row_tokens=row_tokens
    )
    return np.array([one.total for one in found], np.float32)
