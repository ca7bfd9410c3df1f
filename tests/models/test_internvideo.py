"""The encoder against outputs of the original InternVideo and of transformers' CLIP."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from references.internvideo import encoder, outputs, random_encoder, state_dict, with_weights
from stepdiff_jax.config import EncoderConfig, TextTowerConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.uniblock import UniBlock
from stepdiff_jax.models.variables import Weight
from stepdiff_jax.weights.published.internvideo_config import config_from_state_dict

SMALL = EncoderConfig(
    image_size=16,
    patch_size=8,
    frames=3,
    width=16,
    heads=2,
    layers=3,
    mlp_width=32,
    uniblock_layers=(1, 2),
    embedding_width=8,
    text=TextTowerConfig(vocabulary_size=20, context=6, width=16, heads=2, layers=1, mlp_width=32),
    dtype="float32",
)


@pytest.fixture(autouse=True, scope="module")
def exact_matmuls():
    with jax.default_matmul_precision("highest"):
        yield


@pytest.fixture(scope="module")
def video():
    return outputs("iv_small")["video"].transpose(0, 2, 3, 4, 1)


def assert_close(ours, theirs):
    np.testing.assert_allclose(np.asarray(ours), theirs, atol=5e-5, rtol=1e-5)


def test_tokens_and_feature(video):
    theirs = outputs("iv_small")
    tokens, feature = jax.jit(InternVideo.tokens_and_feature)(encoder("iv_small"), video)
    assert_close(tokens, theirs["tokens_tmajor_nocls"])
    assert_close(feature, theirs["video_feat"])


def test_tokens_alone_and_feature_alone(video):
    theirs, model = outputs("iv_small"), encoder("iv_small")
    assert_close(model.tokens(video), theirs["tokens_tmajor_nocls"])
    assert_close(model.video_feature(video), theirs["video_feat"])


def test_activations(video):
    """Each stage by itself, so that a failure names the part that broke."""
    theirs, tower = outputs("iv_small"), encoder("iv_small").video
    x = tower.embed(video)
    assert_close(x, theirs["act/ln_pre"])

    x = _layer(tower.lower, 0)(x)
    assert_close(x.swapaxes(0, 1), theirs["act/resblock_0"])
    pooled = jnp.broadcast_to(tower.temporal_class[...], (2, 64))
    for i in range(2):
        x, uniblock = _layer(tower.upper, i)(x), _layer(tower.uniblocks, i)
        assert_close(x.swapaxes(0, 1), theirs[f"act/resblock_{i + 1}"])
        encoded = uniblock.dpe(x[:, 1:].reshape(2, 4, 2, 2, 64))
        assert_close(encoded.transpose(0, 4, 1, 2, 3), theirs[f"act/dpe_{i}"])
        pooled = uniblock(pooled, x, frames=4)
        assert_close(pooled[None], theirs[f"act/dec_{i}"])


def _layer(stack, index):
    return jax.tree.map(lambda array: array[index], stack)


def test_text_feature_and_similarity(video):
    theirs, model = outputs("iv_small"), encoder("iv_small")
    text = jax.jit(InternVideo.text_feature)(model, theirs["text"])
    assert_close(text, theirs["text_feat"])
    similarity = model.similarity(model.video_feature(video), text)
    assert_close(similarity, theirs["logits_video_text"])


def test_text_after_its_end_changes_nothing():
    model, ids = encoder("iv_small"), outputs("iv_small")["text"]
    end = ids.argmax(-1)[:, None]
    padded = np.where(np.arange(ids.shape[1]) > end, 99, ids)
    assert (padded != ids).any()
    assert_close(model.text_feature(padded), outputs("iv_small")["text_feat"])


def test_image_is_a_video_of_one_frame(video):
    assert_close(
        encoder("iv_small").video_feature(video[:, :1]), outputs("iv_small")["image_mode_feat"]
    )


def test_clip():
    theirs, model = outputs("clip_small"), encoder("clip_small")
    images = theirs["frames"].transpose(0, 2, 3, 1)[:, None]
    tokens, feature = model.tokens_and_feature(images)
    text = model.text_feature(theirs["text"])
    assert_close(tokens, theirs["last_hidden_state"][:, 1:])
    assert_close(_unit(feature), theirs["image_embeds"])
    assert_close(_unit(text), theirs["text_embeds"])
    assert_close(model.similarity(feature, text), theirs["logits_per_image"])


def _unit(feature):
    return feature / jnp.linalg.norm(feature, axis=-1, keepdims=True)


def test_uniblocks_at_their_initial_values_give_clip(video):
    """InternVideo starts as CLIP: the feature is that of the frames' mean class token."""
    state = {
        key: np.zeros_like(array) if _is_zero_at_first(key) else array
        for key, array in state_dict("iv_small").items()
    }
    clip_state = {key: array for key, array in state.items() if not _is_temporal(key)}
    ours = with_weights(encoder_config("iv_small"), state).video_feature(video)
    clip = with_weights(
        config_from_state_dict(clip_state, dtype="float32", heads=4, text_heads=3), clip_state
    )
    # sigmoid(balance=0) halves the mean, which the layer norm undoes up to its epsilon.
    assert_close(ours, clip.video_feature(video))


def encoder_config(name):
    return config_from_state_dict(state_dict(name), dtype="float32", heads=4, text_heads=3)


def _is_temporal(key):
    return key.startswith(("visual.transformer.dpe", "visual.transformer.dec")) or key in (
        "visual.transformer.temporal_cls_token",
        "visual.transformer.balance",
    )


def _is_zero_at_first(key):
    return _is_temporal(key) and (
        key.endswith(("cls_token", "balance")) or ".out_proj." in key or ".c_proj." in key
    )


def test_every_weight_is_frozen_named_and_reached_by_gradients():
    graph, state = nnx.split(random_encoder(SMALL))
    video = np.random.default_rng(1).normal(size=(2, 3, 16, 16, 3)).astype(np.float32)
    ids = np.array([[1, 2, 19, 0, 0, 0], [1, 4, 5, 19, 0, 0]])

    @jax.jit
    @jax.grad
    def gradient(state):
        model = nnx.merge(graph, state)
        tokens, feature = model.tokens_and_feature(video)
        similarity = model.similarity(feature, model.text_feature(ids))
        return jnp.square(tokens).mean() + jnp.square(similarity - 1).mean()

    for path, value in nnx.to_flat_state(gradient(state)):
        if path[-2:] != ("key", "bias"):  # adds the same to every score: softmax drops it
            assert jnp.abs(value[...]).max() > 0, path
    for path, variable in nnx.to_flat_state(state):
        assert type(variable) is Weight, path
        assert len(variable.get_metadata("out_sharding")) == variable[...].ndim, path


def test_initial_uniblock_changes_nothing_but_learns():
    graph, state = nnx.split(UniBlock(8, 2, 16, dtype="float32", rngs=nnx.Rngs(0)))
    x = np.random.default_rng(1).normal(size=(4, 5, 8)).astype(np.float32)
    pooled = jnp.ones((2, 8)).at[:, 0].set(2.0)

    def run(state):
        return nnx.merge(graph, state)(pooled, x, frames=2)

    np.testing.assert_array_equal(run(state), pooled)
    gradient = jax.jit(jax.grad(lambda state: run(state)[:, 0].sum()))(state)
    assert jnp.abs(gradient["attention"]["out"]["kernel"][...]).max() > 0
    assert jnp.abs(gradient["mlp"]["down"]["kernel"][...]).max() > 0


def test_bfloat16_stays_bfloat16():
    model = nnx.eval_shape(
        lambda: InternVideo(dataclasses.replace(SMALL, dtype="bfloat16"), rngs=nnx.Rngs(0))
    )
    video = jax.ShapeDtypeStruct((1, 3, 16, 16, 3), jnp.float32)
    ids = jax.ShapeDtypeStruct((2, 6), jnp.int32)
    tokens, feature = jax.eval_shape(InternVideo.tokens_and_feature, model, video)
    text = jax.eval_shape(InternVideo.text_feature, model, ids)
    similarity = jax.eval_shape(InternVideo.similarity, model, feature, text)
    assert tokens.dtype == feature.dtype == text.dtype == jnp.bfloat16
    assert similarity.dtype == jnp.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 30}, "image_size 30"),
        ({"heads": 3}, "width 16"),
        ({"uniblock_layers": (0, 1)}, r"uniblock_layers \(0, 1\)"),
    ],
)
def test_a_config_that_does_not_fit(change, message):
    with pytest.raises(InputError, match=message):
        InternVideo(dataclasses.replace(SMALL, **change), rngs=nnx.Rngs(0))
