"""Weights as Hugging Face's cache holds them, and directories with more files than the model's."""

import json
import shutil
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from launch.cli import main
from llama_files import write_directory
from references import internvideo as fixtures
from references.llama import CASES, weights
from stepdiff_jax.errors import InputError
from stepdiff_jax.weights.fingerprint import fingerprint
from stepdiff_jax.weights.modules import load_llama, plan_llama
from stepdiff_jax.weights.published.encoder import open_clip
from stepdiff_jax.weights.tensor_files import INDEX, WHOLE

CONFIG = CASES["grouped_query"]


def in_cache(directory: Path, root: Path) -> Path:
    """The same files as a snapshot of the main branch: links to blobs without endings."""
    model = root / "models--of--somebody"
    snapshot = model / "snapshots" / "0a1b"
    snapshot.mkdir(parents=True)
    (model / "blobs").mkdir()
    for number, file in enumerate(sorted(directory.iterdir())):
        shutil.copyfile(file, model / "blobs" / f"{number:040x}")
        (snapshot / file.name).symlink_to(f"../../blobs/{number:040x}")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0a1b")
    return model


def arrays(path: Path) -> str:
    return fingerprint(nnx.state(load_llama(CONFIG, path)))


def test_links_of_the_cache_are_read_and_its_directory_stands_for_the_main_branch(tmp_path):
    plain = write_directory(tmp_path / "hf", CONFIG)
    model = in_cache(plain, tmp_path)
    assert arrays(model) == arrays(plain)
    assert plan_llama(CONFIG, model).files.path == model / "snapshots/0a1b"
    (model / "refs/main").write_text("2c3d")
    with pytest.raises(InputError, match=r"refs/main names no snapshot .* choose one of .*: 0a1b"):
        plan_llama(CONFIG, model)


def test_an_encoder_in_the_cache_is_converted(tmp_path):
    save_file(openai_state(), tmp_path / "blob")
    (tmp_path / "model.safetensors").symlink_to("blob")
    found = open_clip(tmp_path / "model.safetensors", **fixtures.HEADS)
    assert found.config.uniblock_layers == ()


def test_a_blob_itself_is_refused_by_its_name(tmp_path):
    save_file(weights(CONFIG), tmp_path / "0f3c")
    with pytest.raises(InputError, match=r"0f3c: its name does not end in \.safetensors"):
        load_llama(CONFIG, tmp_path / "0f3c")


def test_a_whole_file_beside_an_index_that_does_not_name_it_is_refused(tmp_path):
    path = write_directory(tmp_path / "hf", CONFIG)
    save_file(weights(CONFIG, seed=1), path / WHOLE)
    with pytest.raises(InputError, match=f"holds both {WHOLE} and {INDEX}"):
        plan_llama(CONFIG, path)


def test_a_whole_file_is_read_without_what_lies_beside_it(tmp_path):
    path = write_directory(tmp_path / "hf", CONFIG, files=1)
    wanted = arrays(path)
    (path / INDEX).unlink()
    (path / "model-00001-of-00001.safetensors").rename(path / WHOLE)
    save_file({"base_model.lora": np.zeros(2, np.float32)}, path / "adapter_model.safetensors")
    assert arrays(path) == wanted


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_integers_beside_the_weights_are_left_out_and_others_are_refused(dtype, tmp_path):
    state = {name: array.astype(dtype) for name, array in openai_state().items()}
    state["visual.position_ids"] = np.arange(5)[None]
    state["attn_mask"] = np.zeros((3, 3), dtype)
    write(tmp_path / "clip.safetensors", state)
    found = open_clip(tmp_path / "clip.safetensors", **fixtures.HEADS)
    assert {one.key for one in found.ignored} == {"visual.position_ids", "attn_mask"}
    assert {one.dtype for one in found.tensors} == {np.dtype(dtype)}
    kernel = next(one for one in found.tensors if one.name == "video.class_embedding").read()
    np.testing.assert_array_equal(kernel, state["visual.class_embedding"])
    state["visual.class_embedding"] = np.zeros(state["visual.class_embedding"].shape, np.int64)
    write(tmp_path / "clip.safetensors", state)
    with pytest.raises(InputError, match=r"visual\.class_embedding has dtype int64; known: float"):
        open_clip(tmp_path / "clip.safetensors", **fixtures.HEADS)


def test_integers_among_the_weights_of_a_llama_are_refused_and_beside_them_left_out(tmp_path):
    state = weights(CONFIG)
    state["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.zeros(4, np.float32)
    path = write_directory(tmp_path / "hf", CONFIG, state, files=1)
    file = path / "model-00001-of-00001.safetensors"
    save_file(state | {"model.layers.1.self_attn.rotary_emb.cos_cached": np.arange(3)}, file)
    assert len(plan_llama(CONFIG, path).ignored) == 2
    save_file(state | {"model.norm.weight": np.arange(32)}, file)
    with pytest.raises(InputError, match=r"model\.norm\.weight has dtype I64; known: BF16"):
        plan_llama(CONFIG, path)


def test_safetensors_need_no_conversion(tmp_path, capsys):
    path = write_directory(tmp_path / "hf", CONFIG)
    assert main(("convert", "llama", str(path), "--to", str(tmp_path / "out"))) == 2
    assert "need no conversion" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"vision_config": {"num_attention_heads": 4, "hidden_act": "gelu"}}, "hidden_act is 'ge"),
        ({"vision_config": {"num_attention_heads": "many"}}, "num_attention_heads is 'many'"),
    ],
)
def test_a_clip_that_computes_something_else_is_refused(change, told, tmp_path):
    save_file(openai_state(), tmp_path / "model.safetensors")
    stored = {"vision_config": {}, "text_config": {"num_attention_heads": 3}} | change
    (tmp_path / "config.json").write_text(json.dumps(stored))
    for path in (tmp_path, tmp_path / "model.safetensors"):
        with pytest.raises(InputError, match=told):
            open_clip(path)


def test_heads_come_from_the_config_beside_a_file_too(tmp_path):
    save_file(openai_state(), tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"a config\.json beside the weights must say it"):
        open_clip(tmp_path / "model.safetensors")
    stored = {
        "vision_config": {"num_attention_heads": 4},
        "text_config": {"num_attention_heads": 3},
    }
    (tmp_path / "config.json").write_text(json.dumps(stored))
    for path in (tmp_path, tmp_path / "model.safetensors"):
        config = open_clip(path).config
        assert (config.heads, config.text.heads) == (4, 3)


def openai_state() -> dict[str, np.ndarray]:
    """The small encoder without UniBlocks, under OpenAI's names."""
    found = {}
    for key, array in fixtures.state_dict("iv_small").items():
        if not any(part in key for part in ("dpe", "dec.", "balance", "temporal", "text_mask")):
            name = key.replace("visual_proj", "visual.proj")
            found[name.replace("visual_ln_post", "visual.ln_post")] = array.copy()
    return found


CODES = {"float16": "F16", "float64": "F64", "bfloat16": "BF16", "int64": "I64"}


def write(path: Path, state: dict[str, np.ndarray]) -> None:
    """As safetensors: its numpy functions have no bfloat16, and our writer no integers."""
    header, content = {}, b""
    for name, array in state.items():
        ends = [len(content), len(content) + array.nbytes]
        code = CODES[str(array.dtype)]
        header[name] = {"dtype": code, "shape": array.shape, "data_offsets": ends}
        content += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
