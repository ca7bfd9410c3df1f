"""A model that is sharded over eight devices says what it says on one."""

import jax
import numpy as np
import pytest
from flax import nnx

from configs import kitchen
from data_prep.text.language_models.base import Completion, Prompt
from data_prep.text.language_models.own import OwnLanguageModel
from stepdiff_jax.config import MeshConfig
from stepdiff_jax.inference.beam_search import beam_search
from stepdiff_jax.inference.encode import encode_clips, encode_texts, latent_table
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import pair_request
from stepdiff_jax.inference.score import log_likelihoods
from stepdiff_jax.inference.trained import untrained_model
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.weights.build import build_model, load_tokenizer

EXPERIMENT = kitchen.experiment()
TOKENIZER = load_tokenizer(EXPERIMENT)
FRAMES = np.random.default_rng(0).integers(0, 255, (3, 8, 64, 64, 3), np.uint8)
CLIPS = ("a_0_1", "b_0_1", "c_0_1")
ASKED = [
    (reference, candidate, f"what is the {word} here?", "a red onion")
    for reference, candidate in (("a_0_1", "b_0_1"), ("b_0_1", "c_0_1"), ("c_0_1", "a_0_1"))
    for word in ("tool", "difference")
]
PROMPTS = [Prompt(f"Video 1: a red {word}. Video 2: a fork.") for word in ("spoon", "whisk", "pan")]
MESHES = {
    "eight copies": MeshConfig(data=8, fsdp=1, tensor=1),
    "two copies, heads shared by pairs": MeshConfig(data=-1, fsdp=1, tensor=4),
}


@pytest.fixture(scope="module")
def one() -> VCLM:
    return build_model(EXPERIMENT)


@pytest.fixture(scope="module", params=MESHES)
def sharded(request) -> VCLM:
    return untrained_model(EXPERIMENT, MESHES[request.param])


@pytest.fixture(scope="module")
def trained_layout() -> VCLM:
    return build_model(EXPERIMENT, make_mesh(MeshConfig(fsdp=4, tensor=2)))


def test_each_device_holds_its_part_of_the_language_model_and_the_whole_encoder():
    model = untrained_model(EXPERIMENT, MESHES["two copies, heads shared by pairs"])
    for part, least, most in ((model.llama, 0.24, 0.35), (model.encoder, 1, 1)):
        leaves = jax.tree.leaves(nnx.state(part))
        whole = sum(leaf.nbytes for leaf in leaves)
        for device in jax.devices():
            assert least <= sum(_held(leaf, device) for leaf in leaves) / whole <= most


def _held(array: jax.Array, device: jax.Device) -> int:
    return sum(one.data.nbytes for one in array.addressable_shards if one.device == device)


def test_the_language_model_writes_the_same(one, sharded):
    def answers(model: VCLM) -> list[Completion]:
        own = OwnLanguageModel(model, TOKENIZER, new_tokens=24)
        return [one for one in own.complete(PROMPTS) if isinstance(one, Completion)]

    expected = answers(one)
    assert len({answer.text for answer in expected}) > 1
    assert answers(sharded) == expected


def test_answers_and_likelihoods_about_videos_are_the_same(one, sharded):
    def told(model: VCLM) -> tuple[list[str], np.ndarray]:
        table = latent_table(model, CLIPS, FRAMES)
        requests = [pair_request(table, *one) for one in ASKED]
        asked = (model, TOKENIZER, requests, table.latents)
        # Eight devices do not divide three rows.
        answers = generate(*asked, new_tokens=8, batch_rows=3, branches=2)
        return [one.text for one in answers], log_likelihoods(*asked, batch_rows=3)

    (texts, scores), (expected, wanted) = told(sharded), told(one)
    assert any(expected)
    assert texts == expected
    np.testing.assert_allclose(scores, wanted, rtol=1e-4)


def test_a_beam_search_finds_the_same(one, sharded):
    def told(model: VCLM) -> list[str]:
        table = latent_table(model, CLIPS, FRAMES)
        requests = [pair_request(table, *one[:3]) for one in ASKED]
        found = beam_search(
            model, TOKENIZER, requests, table.latents, beams=3, new_tokens=8, batch_rows=3
        )
        return [one.text for one in found]

    expected = told(one)
    assert len(set(expected)) > 1
    assert told(sharded) == expected


def test_features_are_the_same(one, sharded):
    for (tokens, pooled), (wanted, feature) in zip(
        encode_clips(sharded.encoder, FRAMES), encode_clips(one.encoder, FRAMES)
    ):
        np.testing.assert_allclose(tokens, wanted, atol=2e-4)
        np.testing.assert_allclose(pooled, feature, atol=2e-4)
    ids = np.zeros((2, 77), np.int32)
    ids[:, 3] = 769
    np.testing.assert_allclose(
        encode_texts(sharded.encoder, ids), encode_texts(one.encoder, ids), atol=2e-4
    )


def test_a_model_in_the_layout_of_training_says_the_same(one, trained_layout):
    for asked in (ASKED[:2], ASKED[2:]):
        wanted, scores = (
            log_likelihoods(
                model,
                TOKENIZER,
                [pair_request(table, *question) for question in asked],
                table.latents,
            )
            for model in (one, trained_layout)
            for table in (latent_table(model, CLIPS, FRAMES),)
        )
        np.testing.assert_allclose(scores, wanted, rtol=1e-4)
