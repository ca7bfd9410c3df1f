"""Live: our encoder without UniBlocks is transformers' CLIPModel."""

import jax
import numpy as np
import pytest

from references.internvideo import with_weights
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.published.internvideo_config import config_from_state_dict

pytestmark = pytest.mark.parity

WIDTH, HEADS, TEXT_HEADS, PATCH, SIDE, CONTEXT, VOCABULARY = 64, 4, 2, 8, 32, 10, 50


@pytest.fixture(scope="module")
def theirs():
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    config = CLIPConfig(
        projection_dim=24,
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 96,
            "num_hidden_layers": 3,
            "num_attention_heads": HEADS,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": TEXT_HEADS,
            "max_position_embeddings": CONTEXT,
            "eos_token_id": VOCABULARY - 1,
        },
    )
    model = CLIPModel(config).eval()
    with torch.no_grad():
        # Its own start is so small that attention is uniform and biases are zero.
        for weight in model.parameters():
            if weight.ndim:
                weight.add_(0.15 * torch.randn_like(weight))
    return model


@pytest.fixture(scope="module")
def ours(theirs) -> InternVideo:
    state = {name: array.numpy() for name, array in theirs.state_dict().items()}
    state = {name: array for name, array in state.items() if not name.endswith("position_ids")}
    config = config_from_state_dict(
        state, frames=1, heads=HEADS, text_heads=TEXT_HEADS, dtype="float32"
    )
    return with_weights(config, state)


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-4)


def test_image_features_and_tokens(theirs, ours):
    import torch

    images = np.random.default_rng(0).normal(size=(3, SIDE, SIDE, 3)).astype(np.float32)
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        tokens = theirs.vision_model(pixels).last_hidden_state[:, 1:]
        feature = theirs.get_image_features(pixel_values=pixels).pooler_output
    our_tokens, our_feature = jax.jit(InternVideo.tokens_and_feature)(ours, images[:, None])
    assert feature.std() > 0.1
    assert_close(our_tokens, tokens)
    assert_close(our_feature, feature)


def test_text_features_and_similarity(theirs, ours):
    import torch

    random = np.random.default_rng(1)
    ids = random.integers(1, VOCABULARY - 1, (3, CONTEXT), np.int32)
    for row, end in zip(ids, (4, 7, CONTEXT - 1)):
        row[end] = VOCABULARY - 1
        row[end + 1 :] = 0
    images = random.normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    with torch.no_grad():
        output = theirs(
            input_ids=torch.from_numpy(ids).long(),
            pixel_values=torch.from_numpy(images.transpose(0, 3, 1, 2).copy()),
        )
        text = theirs.get_text_features(input_ids=torch.from_numpy(ids).long()).pooler_output
    feature = jax.jit(InternVideo.text_feature)(ours, ids)
    assert_close(feature, text)
    video = jax.jit(InternVideo.video_feature)(ours, images[:, None])
    assert_close(ours.similarity(video, feature), output.logits_per_image)
