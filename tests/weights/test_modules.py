"""Weights in our own files: the same arrays on any mesh; reports; a run from published files."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from llama_files import write_directory
from references.models import ENCODER, filled
from stepdiff_jax.config import MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.training.loop import train
from stepdiff_jax.weights.fingerprint import fingerprint
from stepdiff_jax.weights.modules import ENCODER_FILE, load_encoder, plan_encoder
from stepdiff_jax.weights.native import save_arrays, save_weights
from tiny_experiment import LLAMA, write_tiny_experiment


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / ENCODER_FILE
    save_weights(filled(lambda: InternVideo(ENCODER, rngs=nnx.Rngs(0)), seed=1), path)
    return path


def test_an_encoder_is_the_same_on_any_mesh_and_from_its_directory(encoder_file):
    alone = fingerprint(nnx.state(load_encoder(ENCODER, encoder_file)))
    mesh = make_mesh(MeshConfig(fsdp=4, tensor=2))
    assert fingerprint(nnx.state(load_encoder(ENCODER, encoder_file, mesh))) == alone
    assert fingerprint(nnx.state(load_encoder(ENCODER, encoder_file.parent))) == alone


def test_what_a_converter_recorded_is_the_kind_of_the_report(encoder_file, tmp_path):
    save_arrays(load_file(encoder_file), tmp_path / ENCODER_FILE, {"kind": "clip-as-internvideo"})
    assert plan_encoder(ENCODER, tmp_path).report().kind == "clip-as-internvideo"
    assert plan_encoder(ENCODER, encoder_file).report().kind == "stepdiff-jax"


def test_missing_unknown_and_misshapen_arrays_are_named(encoder_file, tmp_path):
    arrays = load_file(encoder_file)
    arrays["video.surprise"] = arrays.pop("video.class_embedding")
    arrays["logit_scale"] = np.zeros(2, np.float16)
    path = tmp_path / "encoder.safetensors"
    save_file(arrays, path)
    with pytest.raises(InputError) as error:
        load_encoder(ENCODER, path)
    message = str(error.value)
    assert message.startswith(f"{path}: missing tensor video.class_embedding; ")
    assert "unknown tensor video.surprise" in message and "\n" not in message
    assert "logit_scale has shape (2,), the model ()" in message


def test_a_directory_without_an_encoder_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"encoder\.safetensors: no such file; `stepdiff convert"):
        plan_encoder(ENCODER, tmp_path)


def test_a_run_from_a_hugging_face_directory(tmp_path):
    experiment = write_tiny_experiment(tmp_path)
    llama = str(write_directory(tmp_path / "hf", LLAMA))
    experiment = dataclasses.replace(
        experiment,
        weights=dataclasses.replace(experiment.weights, llama=llama),
        optimizer=dataclasses.replace(experiment.optimizer, steps=1, warmup_steps=0),
    )
    run = train(experiment)
    table = json.loads((run / "weights.json").read_text())
    assert table["llama"]["kind"] == "Hugging Face Llama"
    assert {row["file"] for row in table["llama"]["rows"]} == {
        path.name for path in Path(llama).glob("*.safetensors")
    }
    assert len(table["encoder"]["rows"]) == len(load_file(experiment.weights.encoder))
