"""Live: weights that torch and transformers wrote, through our converters and our loader."""

import json
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from launch.cli import main
from references import internvideo as fixtures
from references.llama import CASES, TOKENS, positions, weights
from references.models import causal_logits
from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family
from stepdiff_jax.families.common.llama_config import FIELDS
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.modules import load_encoder, load_llama
from stepdiff_jax.weights.published.encoder import open_clip, open_internvideo
from stepdiff_jax.weights.published.rewrite import convert_llama, write_encoder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=["multi_head", "grouped_query", "llama3"])
def case(request):
    """A config, transformers' model of it, and its logits on `TOKENS`."""
    from references import transformers_llama

    config = CASES[request.param]
    return config, transformers_llama.build(config), transformers_llama.logits(config)


def save_safetensors(config: LlamaConfig, model, directory: Path) -> Path:
    model.save_pretrained(directory, max_shard_size="20KB")
    assert len(list(directory.glob("model-*.safetensors"))) > 1
    return directory


def save_bins(config: LlamaConfig, model, directory: Path) -> Path:
    """As transformers 4 wrote them: two pickles, their index, and the rotary frequencies."""
    model.config.save_pretrained(directory)
    state = model.state_dict()
    state["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    names = sorted(state)
    table = {}
    for number in range(2):
        file = f"pytorch_model-{number + 1:05}-of-00002.bin"
        torch.save({name: state[name].clone() for name in names[number::2]}, directory / file)
        table |= dict.fromkeys(names[number::2], file)
    index = json.dumps({"weight_map": table})
    (directory / "pytorch_model.bin.index.json").write_text(index)
    return directory


def pairs_of_halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """Transformers' order of queries and keys to Meta's."""
    outputs, width = weight.shape
    halves = weight.reshape(heads, 2, outputs // heads // 2, width)
    return halves.swapaxes(1, 2).reshape(outputs, width)


def save_meta(config: LlamaConfig, model, directory: Path) -> Path:
    """As Meta's two tensor-parallel processes have them; names and splits are those of its code."""
    del model
    if config.rope_scaling.kind:
        pytest.skip("Meta's files say that frequencies are scaled, but not how")
    directory.mkdir()
    state = weights(config)
    renamed: dict[str, tuple[np.ndarray, int | None]] = {
        "tok_embeddings.weight": (state["model.embed_tokens.weight"], 1),
        "norm.weight": (state["model.norm.weight"], None),
        "output.weight": (state["lm_head.weight"], 0),
        "rope.freqs": (np.ones(4, np.float32), None),
    }
    for layer in range(config.layers):
        ours, theirs = f"model.layers.{layer}.", f"layers.{layer}."
        query = state[f"{ours}self_attn.q_proj.weight"]
        key = state[f"{ours}self_attn.k_proj.weight"]
        renamed |= {
            f"{theirs}attention.wq.weight": (pairs_of_halves(query, config.heads), 0),
            f"{theirs}attention.wk.weight": (pairs_of_halves(key, config.kv_heads), 0),
            f"{theirs}attention.wv.weight": (state[f"{ours}self_attn.v_proj.weight"], 0),
            f"{theirs}attention.wo.weight": (state[f"{ours}self_attn.o_proj.weight"], 1),
            f"{theirs}feed_forward.w1.weight": (state[f"{ours}mlp.gate_proj.weight"], 0),
            f"{theirs}feed_forward.w2.weight": (state[f"{ours}mlp.down_proj.weight"], 1),
            f"{theirs}feed_forward.w3.weight": (state[f"{ours}mlp.up_proj.weight"], 0),
            f"{theirs}attention_norm.weight": (state[f"{ours}input_layernorm.weight"], None),
            f"{theirs}ffn_norm.weight": (state[f"{ours}post_attention_layernorm.weight"], None),
        }
    for part in range(2):
        split = {
            name: torch.from_numpy(
                array.copy() if axis is None else np.split(array, 2, axis)[part].copy()
            )
            for name, (array, axis) in renamed.items()
        }
        torch.save(split, directory / f"consolidated.{part:02}.pth")
    params = {
        "dim": config.width,
        "n_layers": config.layers,
        "n_heads": config.heads,
        "n_kv_heads": config.kv_heads,
        "multiple_of": 256,
        "vocab_size": -1,
        "norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_theta,
    }
    (directory / "params.json").write_text(json.dumps(params))
    return directory


@pytest.mark.parametrize("save", [save_safetensors, save_bins, save_meta])
def test_every_format_gives_transformers_logits(case, save, tmp_path):
    config, model, wanted = case
    path = save(config, model, tmp_path / "source")
    if save is not save_safetensors:
        words = ("convert", "llama", str(path), "--to", str(tmp_path / "hf"))
        words = (*words, "--family", config.family)
        assert main((*words, "--report", str(tmp_path / "report.json"))) == 0
        report = json.loads((tmp_path / "report.json").read_text())
        assert len(report["rows"]) == len(weights(config))
        assert [one["reason"] for one in report["ignored"]] == ["follows from rope_theta"]
        path = tmp_path / "hf"
    logits = causal_logits(load_llama(config, path), TOKENS, positions(config))
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("save", [save_bins, save_meta])
def test_what_is_written_opens_in_transformers(case, save, tmp_path):
    import transformers

    config, model, _ = case
    family = find_family(config.family)
    convert_llama(save(config, model, tmp_path / "source"), tmp_path / "hf", family)
    opened = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "hf")
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(opened.state_dict()[name], tensor, err_msg=name)
    stored = opened.config.to_dict()
    for ours, theirs in FIELDS.items():
        if ours != "rope_theta":
            assert stored[theirs] == getattr(config, ours)
    assert stored["rope_parameters"]["rope_theta"] == config.rope_theta


class Malicious:
    def __reduce__(self):
        return os.mkdir, (self.path,)

    def __init__(self, path: str):
        self.path = path


def break_pickle(path: Path, kind: str) -> None:
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "runs code":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Malicious(str(path) + ".ran")))
            archive.writestr("archive/version", "3")
    elif kind == "missing":
        path.unlink()
    elif kind == "no tensors":
        torch.save({"model": [1, 2]}, path)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("truncated", "cannot be read"),
        ("runs code", "a pickle that would run code"),
        ("missing", "no such file"),
        ("no tensors", "holds no named tensors"),
    ],
)
@pytest.mark.parametrize("save", [save_bins, save_meta])
def test_a_broken_file_is_named_and_nothing_is_left(case, save, kind, told, tmp_path, capsys):
    config, model, _ = case
    path = save(config, model, tmp_path / "source")
    file = sorted([*path.glob("*.bin"), *path.glob("*.pth")])[0]
    break_pickle(file, kind)
    before = sorted(tmp_path.iterdir())
    words = ("convert", "llama", str(path), "--to", str(tmp_path / "hf"))
    assert main((*words, "--family", config.family)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    if kind == "missing" and save is save_meta:
        assert "parts consolidated.00.pth, .01.pth, ... are not complete" in line
    else:
        assert f"{file}: {told}" in line
    assert sorted(tmp_path.iterdir()) == before
    assert not Path(str(file) + ".ran").exists()


def test_missing_unknown_and_misshapen_tensors_are_named(case, tmp_path):
    config, model, _ = case
    path = save_bins(config, model, tmp_path / "source")
    file = path / "pytorch_model-00001-of-00002.bin"
    state = torch.load(file)
    name = next(iter(state))
    for change, told in (
        ({name: torch.zeros(3, 5)}, rf"00001-of-00002\.bin: {name} has shape \(3, 5\)"),
        ({"surprise": torch.zeros(1)}, r"00001-of-00002\.bin: unknown tensor surprise"),
    ):
        torch.save(state | change, file)
        with pytest.raises(InputError, match=told):
            convert_llama(path, tmp_path / "hf", find_family(config.family))
    torch.save({key: value for key, value in state.items() if key != name}, file)
    with pytest.raises(InputError, match=rf"index\.json: tensor {name} is not in {file.name}"):
        convert_llama(path, tmp_path / "hf", find_family(config.family))


def test_an_existing_directory_is_left_alone(case, tmp_path):
    config, model, _ = case
    (tmp_path / "hf").mkdir()
    with pytest.raises(InputError, match="hf: exists already"):
        source = save_bins(config, model, tmp_path / "source")
        convert_llama(source, tmp_path / "hf", find_family(config.family))
    assert not list((tmp_path / "hf").iterdir())


def lightning(path: Path, **more) -> Path:
    """The fixture's encoder as Lightning writes it, with what belongs to other parts."""
    state = {
        f"clip.{key}": torch.from_numpy(a) for key, a in fixtures.state_dict("iv_small").items()
    }
    state["clip.caption_decoder.weight"] = torch.zeros(2)
    state["loss.temperature"] = torch.zeros(1)
    torch.save({"state_dict": state | more, "epoch": 3, "global_step": 7}, path)
    return path


def test_internvideos_checkpoint_gives_its_features(tmp_path):
    path = lightning(tmp_path / "InternVideo.ckpt")
    found = open_internvideo(path, **fixtures.HEADS)
    report = write_encoder(found, path, tmp_path / "encoder")
    assert report.kind == "internvideo"
    reasons = {one.key: one.reason for one in report.ignored}
    assert reasons["loss.temperature"] == "does not begin with 'clip.'"
    assert "clip.caption_decoder.weight" in reasons
    config = replace(found.config, dtype="float32")
    ours = load_encoder(config, tmp_path / "encoder")
    stored = fixtures.outputs("iv_small")
    video = stored["video"].transpose(0, 2, 3, 4, 1)
    with jax.default_matmul_precision("highest"):
        tokens, feature = jax.jit(InternVideo.tokens_and_feature)(ours, video)
    np.testing.assert_allclose(tokens, stored["tokens_tmajor_nocls"], rtol=1e-5, atol=5e-5)
    np.testing.assert_allclose(feature, stored["video_feat"], rtol=1e-5, atol=5e-5)


def test_a_checkpoint_without_a_tensor_or_with_another_shape_is_refused(tmp_path):
    key = "clip.visual.class_embedding"
    path = lightning(tmp_path / "a.ckpt", **{key: torch.zeros(3)})
    with pytest.raises(InputError, match=r"a\.ckpt: visual\.class_embedding has shape \(3,\)"):
        open_internvideo(path, **fixtures.HEADS)
    path = lightning(tmp_path / "b.ckpt", **{"clip.surprise": torch.zeros(3)})
    with pytest.raises(InputError, match=r"b\.ckpt: unknown tensor surprise"):
        open_internvideo(path, **fixtures.HEADS)


@pytest.fixture(scope="module")
def clip():
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    config = CLIPConfig(
        projection_dim=24,
        vision_config=sizes | {"num_hidden_layers": 5, "image_size": 32, "patch_size": 8},
        text_config=sizes
        | {
            "num_hidden_layers": 2,
            "vocab_size": 50,
            "max_position_embeddings": 10,
            "eos_token_id": 49,
        },
    )
    model = CLIPModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim:
                weight.add_(0.15 * torch.randn_like(weight))
    return model


IMAGES = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize("flags", [(), ("--as-internvideo",)])
@pytest.mark.parametrize("pickled", [False, True])
def test_clip_gives_its_features_in_both_shapes(clip, flags, pickled, tmp_path, capsys):
    source = tmp_path / "clip"
    clip.save_pretrained(source)
    if pickled:
        (source / "model.safetensors").unlink()
        torch.save(clip.state_dict(), source / "pytorch_model.bin")
    words = ("convert", "clip", str(source), "--to", str(tmp_path / "encoder"), *flags)
    assert main(words) == 0
    assert f": clip{'-as-internvideo' * bool(flags)}: " in capsys.readouterr().out
    stored = json.loads((tmp_path / "encoder" / "config.json").read_text())
    assert stored["uniblock_layers"] == ([1, 2, 3, 4] if flags else [])
    assert (stored["heads"], stored["text"]["heads"]) == (4, 4)
    config = fixtures.config_from_state_dict(
        {
            name: array.numpy()
            for name, array in clip.state_dict().items()
            if not name.endswith("position_ids")
        },
        frames=1,
        heads=4,
        text_heads=4,
        dtype="float32",
    )
    config = replace(config, uniblock_layers=tuple(stored["uniblock_layers"]))
    ours = load_encoder(config, tmp_path / "encoder")
    with torch.no_grad():
        pixels = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).copy())
        tokens = clip.vision_model(pixels).last_hidden_state[:, 1:]
        feature = clip.get_image_features(pixel_values=pixels).pooler_output
    our_tokens, our_feature = jax.jit(InternVideo.tokens_and_feature)(ours, IMAGES[:, None])
    np.testing.assert_allclose(our_tokens, tokens, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(our_feature, feature, rtol=0, atol=TOLERANCE)


def test_openais_names_are_known(tmp_path):
    stored = fixtures.state_dict("iv_small")
    openai = {}
    for key, array in stored.items():
        if any(part in key for part in ("dpe", "dec.", "balance", "temporal", "text_mask")):
            continue
        name = key.replace("visual_proj", "visual.proj").replace("visual_ln_post", "visual.ln_post")
        array = array[:, :, 0] if key == "visual.conv1.weight" else array
        openai[name] = torch.from_numpy(array.copy())
    openai["input_resolution"] = torch.tensor(28)
    torch.save(openai, tmp_path / "ViT.pt")
    found = open_clip(tmp_path / "ViT.pt", **fixtures.HEADS)
    assert found.config.uniblock_layers == ()
    kernel = next(one for one in found.tensors if one.name == "video.patch_kernel").read()
    np.testing.assert_array_equal(
        kernel, stored["visual.conv1.weight"][:, :, 0].transpose(2, 3, 1, 0)
    )
