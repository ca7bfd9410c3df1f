"""Llama from a Hugging Face directory: the same arrays on any mesh, or one line of error."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx

from llama_files import config_json, write_directory
from references.llama import CASES, weights
from references.llama_state import from_state_dict
from stepdiff_jax.config import LlamaConfig, MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.sharding import make_mesh, state_shardings
from stepdiff_jax.weights import load
from stepdiff_jax.weights.fingerprint import fingerprint
from stepdiff_jax.weights.modules import load_llama, plan_llama
from stepdiff_jax.weights.tensor_files import INDEX

CONFIG = CASES["grouped_query"]
TIED = CASES["tied"]
MESHES = {
    "one device": None,
    "8 fsdp": MeshConfig(fsdp=8),
    "2 data, 2 fsdp, 2 tensor": MeshConfig(data=2, fsdp=2, tensor=2),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_directory(tmp_path_factory.mktemp("llama") / "hf", CONFIG)


def mesh_of(name: str):
    return None if MESHES[name] is None else make_mesh(MESHES[name])


def reference(config: LlamaConfig, state=None) -> Llama:
    model = nnx.eval_shape(lambda: Llama(config, rngs=nnx.Rngs(0)))
    nnx.update(model, from_state_dict(weights(config) if state is None else state, config))
    return model


def assert_same(found: Llama, wanted: Llama) -> None:
    assert fingerprint(nnx.state(found)) == fingerprint(nnx.state(wanted))


@pytest.mark.parametrize("name", MESHES)
@pytest.mark.parametrize("case", CASES)
def test_arrays_are_those_of_the_checkpoint_and_lie_in_their_shards(case, name, tmp_path):
    path = write_directory(tmp_path / "hf", CASES[case])
    mesh = mesh_of(name)
    found = load_llama(CASES[case], path, mesh)
    assert_same(found, reference(CASES[case]))
    if mesh is not None:
        state = nnx.state(found)
        wanted = state_shardings(state, mesh)
        assert jax.tree.all(
            jax.tree.map(
                lambda leaf, sharding: leaf.sharding.is_equivalent_to(sharding, leaf.ndim),
                state,
                wanted,
            )
        )


@pytest.mark.parametrize("quantization", ["int8", "int4"])
@pytest.mark.parametrize("name", MESHES)
def test_matrices_are_quantised_from_what_is_stored(quantization, name, directory):
    config = replace(CONFIG, quantization=quantization, dtype="bfloat16")
    found = load_llama(config, directory, mesh_of(name))
    assert_same(found, reference(config))


def test_a_batch_of_one_tensor_gives_the_same(directory, monkeypatch):
    monkeypatch.setattr(load, "BATCH_BYTES", 1)
    assert_same(load_llama(CONFIG, directory, mesh_of("8 fsdp")), reference(CONFIG))


def test_half_precision_is_cast_as_it_is_read(tmp_path):
    state = weights(CONFIG)
    path = write_directory(tmp_path / "hf", CONFIG, dtype=np.float16)
    rounded = {name: array.astype(np.float16).astype(np.float32) for name, array in state.items()}
    assert_same(load_llama(CONFIG, path), reference(CONFIG, rounded))


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("case", CASES)
def test_config_json_of_both_transformers(case, version, tmp_path):
    config = CASES[case]
    text = config_json(config, version=version)
    if config.heads == config.kv_heads:
        del text["num_key_value_heads"]  # as of models before grouped queries
    (tmp_path / "config.json").write_text(json.dumps(text))
    found = find_family(config.family).read_config(tmp_path)
    assert replace(found, dtype="float32", remat=False) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 64}, r"hidden_size is 64, the experiment's llama\.width is 32"),
        ({"rope_parameters": {"rope_theta": 7.0}}, r"rope_theta is 7\.0, .*llama\.rope_theta is 5"),
        ({"model_type": "mistral"}, r"model_type is 'mistral', but only 'llama'"),
        ({"attention_bias": True}, "attention_bias is True, but only False"),
        ({"head_dim": 4}, "head_dim is 4, but only 8"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "frequencies of type 'llama3'"),
        ({"num_hidden_layers": "two"}, "num_hidden_layers is 'two', expected int"),
        ({"vocab_size": None}, "vocab_size is None, expected int"),
    ],
)
def test_config_json_of_another_model_is_refused(change, message, tmp_path):
    path = write_directory(tmp_path / "hf", CONFIG)
    stored = config_json(CONFIG) | change
    (path / "config.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match=message) as error:
        plan_llama(CONFIG, path)
    assert "\n" not in str(error.value)


def test_missing_unknown_and_misshapen_tensors_are_named_with_their_files(tmp_path):
    state = weights(CONFIG)
    del state["model.layers.1.mlp.up_proj.weight"]
    state["model.layers.9.mlp.up_proj.weight"] = np.zeros((56, 32), np.float32)
    state["model.layers.0.self_attn.k_proj.weight"] = np.zeros((32, 32), np.float32)
    path = write_directory(tmp_path / "hf", CONFIG, state, files=1)
    with pytest.raises(InputError) as error:
        load_llama(CONFIG, path)
    file = "model-00001-of-00001.safetensors"
    message = str(error.value)
    assert str(path) in message and "\n" not in message
    assert "missing tensor model.layers.1.mlp.up_proj.weight" in message
    assert f"unknown tensor model.layers.9.mlp.up_proj.weight in {file}" in message
    assert f"k_proj.weight in {file} has shape (32, 32), the model (16, 32)" in message


def test_a_missing_shard_is_named(tmp_path):
    path = write_directory(tmp_path / "hf", CONFIG)
    gone = path / "model-00002-of-00003.safetensors"
    gone.unlink()
    with pytest.raises(InputError, match=f"{gone}: "):
        load_llama(CONFIG, path)


@pytest.mark.parametrize("kept", [0.9, 0.001, 0.0])
def test_a_truncated_shard_is_named(kept, tmp_path):
    path = write_directory(tmp_path / "hf", CONFIG)
    file = path / "model-00003-of-00003.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=f"{file}: not a complete safetensors file") as error:
        load_llama(CONFIG, path)
    assert "\n" not in str(error.value)


def test_an_index_that_lies_is_refused(tmp_path):
    path = write_directory(tmp_path / "hf", CONFIG)
    table = json.loads((path / INDEX).read_text())
    table["weight_map"]["model.norm.weight"] = table["weight_map"]["lm_head.weight"]
    (path / INDEX).write_text(json.dumps(table))
    with pytest.raises(InputError, match=r"index\.json: tensor model\.norm\.weight is not in"):
        load_llama(CONFIG, path)
    (path / INDEX).write_text("{}")
    with pytest.raises(InputError, match=r"index\.json: not an index"):
        load_llama(CONFIG, path)


def test_without_an_index_all_files_count_and_none_may_say_a_thing_twice(tmp_path):
    path = write_directory(tmp_path / "hf", CONFIG)
    (path / INDEX).unlink()
    assert_same(load_llama(CONFIG, path), reference(CONFIG))
    whole = path / "model-00001-of-00003.safetensors"
    (path / "copy.safetensors").write_bytes(whole.read_bytes())
    with pytest.raises(InputError, match=r"is also in copy\.safetensors"):
        load_llama(CONFIG, path)


def test_a_directory_of_other_formats_says_what_to_do(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"stepdiff convert llama .* makes them"):
        load_llama(CONFIG, tmp_path)
    with pytest.raises(InputError, match="no such file or directory"):
        load_llama(CONFIG, tmp_path / "nowhere")


def test_a_tied_model_takes_a_head_only_if_it_is_the_embedding(tmp_path):
    state = weights(TIED)
    state["lm_head.weight"] = state["model.embed_tokens.weight"].copy()
    path = write_directory(tmp_path / "same", TIED, state)
    assert_same(load_llama(TIED, path, mesh_of("8 fsdp")), reference(TIED))
    (ignored,) = plan_llama(TIED, path).report().ignored
    assert (ignored.key, ignored.reason) == ("lm_head.weight", "equal to the embedding")
    state["lm_head.weight"][3, 4] += 1
    path = write_directory(tmp_path / "other", TIED, state)
    with pytest.raises(InputError, match=r"lm_head\.weight is not model\.embed_tokens\.weight"):
        load_llama(TIED, path)


def test_the_report_has_a_row_for_every_tensor_and_says_what_is_ignored(tmp_path):
    state = weights(CONFIG)
    frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq"
    state[frequencies] = np.ones(4, np.float32)
    path = write_directory(tmp_path / "hf", CONFIG, state, dtype=np.float16)
    found = plan_llama(CONFIG, path).report()
    assert {row.key for row in found.rows} == state.keys() - {frequencies}
    (row,) = [row for row in found.rows if row.key == "model.layers.1.mlp.down_proj.weight"]
    assert (row.target, row.shape, row.dtype) == ("blocks.down[1]", (32, 56), "F16")
    assert row.file.startswith("model-0000")
    (ignored,) = found.ignored
    assert (ignored.key, ignored.reason) == (frequencies, "follows from rope_theta")
    assert found.summary() == f"{path}: Hugging Face Llama: 21 tensors F16, files 3, 1 ignored"
