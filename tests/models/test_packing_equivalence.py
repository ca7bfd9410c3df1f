"""A packed row with shared prefixes is its questions run one by one: losses and gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from references.models import ENCODER, RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import (
    Conversation,
    answer_text,
    interleaved_conversation,
    pair_conversation,
)
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.models.vclm import VCLM, AnswerTokens, answer_tokens

LATENTS = RESAMPLER.latents
SHAPE = RowShape(length=448, videos=5, answers=120)
TOLERANCE = 1e-5

CONVERSATIONS = (
    pair_conversation(
        0,
        1,
        [
            ("what is chopped", answer_text("a red onion")),
            ("do these two videos show the same ingredients", answer_text("NO", weight=0.5)),
            ("what is the main difference", answer_text("a green onion instead of a red one")),
        ],
    ),
    interleaved_conversation([2], ["the person chops"]),
    pair_conversation(
        1,
        0,
        [
            ("what is the main difference", answer_text("the person")),
            ("YES or NO", answer_text("YES", weight=2.0)),
        ],
    ),
)
FEATURES = (
    np.random.default_rng(3).normal(size=(3, ENCODER.tokens, ENCODER.width)).astype(np.float32)
)
FAMILIES = ("llama2", "llama3")
PARTS = {family: split_variables(vclm(family), ("resampler",)) for family in FAMILIES}
Conversations = list[Conversation] | tuple[Conversation, ...]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request) -> str:
    return request.param


def packed(family: str, conversations: Conversations) -> tuple[PackedRows, np.ndarray]:
    """One row [1, L] and its features [1, V, N, C]."""
    examples = [lay_out(one, tokenizer(family), LATENTS) for one in conversations]
    row, clips = pack_row(examples, SHAPE, LATENTS)
    visual = np.where((clips >= 0)[:, None, None], FEATURES[clips], 0)
    return PackedRows(*(column[None] for column in row)), visual[None]


@partial(jax.jit, static_argnums=0)
def losses_and_gradients(
    graph: nnx.GraphDef, trained: nnx.State, frozen: nnx.State, rows: PackedRows, visual: jax.Array
) -> tuple[AnswerTokens, nnx.State]:
    """Every answer token, and the gradient of their weighted sum of losses."""

    def total(trained: nnx.State) -> tuple[jax.Array, AnswerTokens]:
        model: VCLM = nnx.merge(graph, trained, frozen)
        tokens = answer_tokens(model, rows, model.latents(model.features(visual)), SHAPE.answers)
        return -jnp.sum(tokens.weight * tokens.log_probability), tokens

    (_, tokens), gradient = jax.value_and_grad(total, has_aux=True)(trained)
    return tokens, gradient


def run(family: str, conversations: Conversations) -> tuple[np.ndarray, nnx.State]:
    """Losses of the answer tokens in order, and the gradient."""
    tokens, gradient = losses_and_gradients(*PARTS[family], *packed(family, conversations))
    return -np.asarray(tokens.log_probability)[np.asarray(tokens.weight) > 0], gradient


@pytest.fixture(scope="module")
def together(family):
    return run(family, CONVERSATIONS)


def test_losses_and_gradients_equal_those_of_single_questions(family, together):
    alone = [
        run(family, [Conversation(conversation.prefix, branches)])
        for conversation in CONVERSATIONS
        for branches in ([(branch,) for branch in conversation.branches] or [()])
    ]
    assert len(alone) == 6
    losses, gradient = together
    np.testing.assert_allclose(
        losses, np.concatenate([losses for losses, _ in alone]), rtol=0, atol=TOLERANCE
    )
    summed = jax.tree.map(lambda *parts: sum(parts), *(gradient for _, gradient in alone))
    for path, array in jax.tree_util.tree_leaves_with_path(summed):
        assert np.abs(array).max() > 1e-3, f"no gradient to compare at {path}"
    # Relative to the largest entry of each array: the sum over 40 tokens is far above one.
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_allclose(
            ours, theirs, rtol=0, atol=TOLERANCE * max(1.0, np.abs(theirs).max())
        ),
        gradient,
        summed,
    )


@pytest.mark.parametrize(
    ("question", "tolerance"),
    [("what is sliced", 0.0), ("what is the difference between the green onions", 1e-6)],
    ids=["same length", "longer"],
)
def test_another_text_of_one_question_moves_no_other_loss(family, together, question, tolerance):
    # The first branch of the first conversation: everything else stands behind it.
    pair = CONVERSATIONS[0]
    changed = pair_conversation(0, 1, [(question, answer_text("a red onion"))])
    branches = (*changed.branches, *pair.branches[1:])
    losses, _ = run(family, (Conversation(pair.prefix, branches), *CONVERSATIONS[1:]))
    own = len(tokenizer(family).encode("a red onion")) + 1
    before, _ = together
    assert np.abs(losses[:own] - before[:own]).max() > 1e-3
    np.testing.assert_allclose(losses[own:], before[own:], rtol=tolerance, atol=0)
