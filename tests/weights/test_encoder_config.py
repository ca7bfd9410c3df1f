"""An encoder's own config.json, and image sizes other than that of its weights."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from references.models import ENCODER, filled
from stepdiff_jax.config import Experiment, MeshConfig, WeightsConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.weights.build import check_weight_configs
from stepdiff_jax.weights.modules import ENCODER_FILE, load_encoder, plan_encoder
from stepdiff_jax.weights.native import save_weights
from stepdiff_jax.weights.position_embedding import interpolate_positions

LARGER = replace(ENCODER, image_size=40)


@pytest.fixture
def directory(tmp_path) -> Path:
    """As the converters write it."""
    save_weights(
        filled(lambda: InternVideo(ENCODER, rngs=nnx.Rngs(0)), seed=1), tmp_path / ENCODER_FILE
    )
    (tmp_path / "config.json").write_text(json.dumps(dataclasses.asdict(ENCODER)))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"heads": 4}, "heads is 2, the experiment's encoder.heads is 4; .*: --encoder.heads 2"),
        (
            {"text": replace(ENCODER.text, heads=4)},
            "text.heads is 2, the experiment's encoder.text.heads is 4",
        ),
        (
            {"width": 32, "uniblock_layers": ()},
            "width is 16, .* is 32; .*: --encoder.width 16 --encoder.uniblock-layers 1$",
        ),
    ],
)
def test_a_field_that_disagrees_is_named_with_both_values(change, told, directory):
    config = replace(ENCODER, **change)
    for path in (directory, directory / ENCODER_FILE):
        with pytest.raises(InputError, match=rf"config\.json: {told}") as error:
            plan_encoder(config, path)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=told):  # as `stepdiff aot` asks
        check_weight_configs(Experiment("", config, weights=WeightsConfig(encoder=str(directory))))


def test_how_frames_are_cut_is_not_the_weights_matter(directory):
    check_weight_configs(
        Experiment("", replace(ENCODER, frames=4), weights=WeightsConfig(encoder=str(directory)))
    )
    plan_encoder(replace(ENCODER, frames=4, resized_side=200, dtype="bfloat16"), directory)


@pytest.mark.parametrize("content", ["{", "[]", '{"width": 3}'])
def test_a_config_of_something_else_is_refused_in_the_encoders_own_directory(content, directory):
    (directory / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json: not the config of an encoder"):
        plan_encoder(ENCODER, directory)
    plan_encoder(ENCODER, directory / ENCODER_FILE)  # beside a file, it may be another model's


@pytest.mark.parametrize("mesh", [None, MeshConfig(fsdp=4, tensor=2)])
def test_positions_of_another_image_size_are_interpolated(mesh, directory):
    mesh = None if mesh is None else make_mesh(mesh)
    found = load_encoder(LARGER, directory, mesh)
    stored = load_encoder(ENCODER, directory)
    positions = np.asarray(found.video.position_embedding[...])
    wanted = interpolate_positions(stored.video.position_embedding[...], 5)
    np.testing.assert_allclose(positions, wanted, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(positions[0], stored.video.position_embedding[0])
    np.testing.assert_array_equal(found.video.patch_kernel[...], stored.video.patch_kernel[...])
    video = jax.ShapeDtypeStruct((1, 2, 40, 40, 3), np.float32)
    assert jax.eval_shape(found.tokens, video).shape == (1, 2 * 25, 16)
    assert plan_encoder(LARGER, directory).report().kind == (
        "stepdiff-jax, positions interpolated from 2 x 2 to 5 x 5 patches"
    )


def test_constant_positions_stay_constant():
    ones = np.full((1 + 9, 3), 2.5, np.float32)
    np.testing.assert_allclose(interpolate_positions(ones, 7), np.full((50, 3), 2.5), rtol=1e-6)


def test_an_image_that_is_larger_than_what_it_is_cut_from_is_refused():
    with pytest.raises(InputError, match=r"image_size 336 is larger .*--encoder\.resized-side 384"):
        plan_encoder(replace(ENCODER, image_size=336), "anywhere.safetensors")
