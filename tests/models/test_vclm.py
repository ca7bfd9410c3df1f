"""The video-conditioned language model: splicing, gradients, inputs and likelihoods."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from references.models import ENCODER, RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import answer_text, interleaved_conversation, pair_conversation
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.models.vclm import VCLM, answer_loss, answer_tokens

LATENTS = RESAMPLER.latents
SHAPE = RowShape(length=192, videos=3, answers=32)
MODEL = vclm()
FRAMES = np.random.default_rng(0).integers(
    0, 256, (2, SHAPE.videos, ENCODER.frames, ENCODER.image_size, ENCODER.image_size, 3), np.uint8
)


def packed() -> PackedRows:
    """[2, L]: a question about two videos and a narrated one; a narrated sequence of two."""
    pair = pair_conversation(0, 1, [("what", answer_text("onion", weight=3.0))])
    contents = [
        [pair, interleaved_conversation([2], ["chop"])],
        [interleaved_conversation([0, 1], ["the", "red onion"])],
    ]
    rows = [
        pack_row([lay_out(one, tokenizer(), LATENTS) for one in content], SHAPE, LATENTS)[0]
        for content in contents
    ]
    return PackedRows(*(np.stack(column) for column in zip(*rows)))


ROWS = packed()


@pytest.fixture(scope="module")
def features() -> jax.Array:
    return jax.jit(VCLM.features)(MODEL, FRAMES)


@jax.jit
def loss_and_metrics(model: VCLM, visual: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    return answer_loss(model, ROWS, visual, SHAPE.answers)


def test_latents_stand_in_their_slots_and_text_everywhere_else():
    videos = np.arange(2 * SHAPE.videos * LATENTS * 32, dtype=np.float32)
    latents = videos.reshape(2, SHAPE.videos, LATENTS, 32)
    embedded = np.asarray(jax.jit(VCLM.embed)(MODEL, ROWS, latents))
    text = np.asarray(MODEL.llama.embedding[...])
    seen = []
    for row in range(2):
        for place in range(SHAPE.length):
            slot = ROWS.visual_slot[row, place]
            if slot < 0:
                expected = text[ROWS.tokens[row, place]]
            else:
                expected = latents[row, slot // LATENTS, slot % LATENTS]
                seen.append((row, slot))
            np.testing.assert_array_equal(embedded[row, place], expected)
    # Every latent of each of the five videos, once and in order.
    assert seen == [(0, slot) for slot in range(3 * LATENTS)] + [
        (1, slot) for slot in range(2 * LATENTS)
    ]


def test_gradient_reaches_every_trained_array_and_the_split_leaves_none_out(features):
    graph, trained, frozen = split_variables(MODEL, ("resampler",))
    parts = [{path[0] for path, _ in nnx.to_flat_state(state)} for state in (trained, frozen)]
    assert parts == [{"resampler"}, {"encoder", "llama"}]
    count = len(jax.tree.leaves(trained)) + len(jax.tree.leaves(frozen))
    assert count == len(jax.tree.leaves(nnx.state(MODEL)))

    def loss(trained: nnx.State, frozen: nnx.State, features: jax.Array) -> jax.Array:
        model = nnx.merge(graph, trained, frozen)
        return answer_loss(model, ROWS, features, SHAPE.answers)[0]

    gradient = jax.jit(jax.grad(loss))(trained, frozen, features)
    assert jax.tree.structure(gradient) == jax.tree.structure(trained)
    for path, array in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(array).all(), path
        assert np.abs(array).max() > 1e-5, path


def test_frames_equal_their_features(features):
    assert features.shape == (2, SHAPE.videos, ENCODER.tokens, ENCODER.width)
    by_frames, _ = loss_and_metrics(MODEL, FRAMES)
    by_features, _ = loss_and_metrics(MODEL, features)
    assert float(by_frames) == pytest.approx(float(by_features), abs=1e-5)
    other, _ = loss_and_metrics(MODEL, 255 - FRAMES)
    assert abs(float(other - by_frames)) > 1e-3


@jax.jit
def log_probabilities(model: VCLM, latents: jax.Array) -> jax.Array:
    """Of every token at every place given what stands before it: one full forward pass."""
    everywhere = jax.nn.log_softmax(model.llama.logits(model.hidden(ROWS, latents)))
    return jnp.take_along_axis(everywhere[:, :-1], ROWS.tokens[:, 1:, None], -1)[..., 0]


def test_answer_tokens_are_those_of_a_full_forward_pass(features):
    latents = jax.jit(VCLM.latents)(MODEL, features)
    scored = jax.jit(answer_tokens, static_argnums=3)(MODEL, ROWS, latents, SHAPE.answers)
    full = np.asarray(log_probabilities(MODEL, latents))
    weight = ROWS.loss_mask[:, 1:]
    for row in range(2):
        answered = np.asarray(scored.weight[row]) > 0
        np.testing.assert_allclose(
            np.asarray(scored.log_probability[row])[answered],
            full[row][weight[row] > 0],
            rtol=0,
            atol=1e-5,
        )
    loss, metrics = loss_and_metrics(MODEL, features)
    assert float(loss) == pytest.approx(-np.sum(weight * full) / np.sum(weight), abs=1e-5)
    assert int(metrics["answer_tokens"]) == np.count_nonzero(weight)
    assert np.unique(weight).tolist() == [0.0, 1.0, 3.0]


def test_padding_is_never_nan():
    latents = jnp.zeros((2, SHAPE.videos, LATENTS, 32))
    hidden = jax.jit(VCLM.hidden)(MODEL, ROWS, latents)
    assert (ROWS.segment == 0).any()
    assert np.isfinite(hidden).all()
