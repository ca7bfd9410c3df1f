"""Exported directories: complete, written as a whole or not at all, and back to the same arrays."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from launch.cli import main
from llama_files import write_directory
from references.models import filled
from stepdiff_jax.checkpoint import CheckpointMetadata, TrainedWeights, read_trained, write_trained
from stepdiff_jax.config import Experiment
from stepdiff_jax.config_files import CONFIG_FILE, read_experiment, to_dict
from stepdiff_jax.models.resampler import Resampler
from stepdiff_jax.training.loop import train
from stepdiff_jax.weights.export.torch_export import RUN_FILE
from stepdiff_jax.weights.load import named_leaves
from tiny_experiment import LLAMA, write_tiny_experiment


def write_run(experiment: Experiment, run: Path, metadata: CheckpointMetadata) -> Path:
    """A run directory with random trained weights."""
    resampler = filled(
        lambda: Resampler(
            experiment.resampler,
            input_width=experiment.encoder.width,
            output_width=experiment.llama.width,
            frames=experiment.encoder.frames,
            rngs=nnx.Rngs(0),
        ),
        seed=5,
    )
    arrays = {
        f"resampler.{name}": np.asarray(leaf)
        for name, leaf in named_leaves(nnx.state(resampler)).items()
    }
    run.mkdir(parents=True)
    (run / CONFIG_FILE).write_text(json.dumps(to_dict(experiment)))
    write_trained(run, TrainedWeights(7, metadata, arrays))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of the tiny experiment over a Hugging Face directory."""
    root = tmp_path_factory.mktemp("export")
    experiment = write_tiny_experiment(root)
    llama = str(write_directory(root / "hf", LLAMA))
    experiment = dataclasses.replace(
        experiment, weights=dataclasses.replace(experiment.weights, llama=llama)
    )
    metadata = CheckpointMetadata("f00d", dataclasses.asdict(experiment.resampler), "hash")
    return write_run(experiment, root / "trained", metadata)


@pytest.mark.parametrize("words", [("torch",), ("torch", "--llm", "include"), ("projector",)])
def test_there_and_back_is_bitwise_the_same_run(run, words, tmp_path):
    command, *flags = words
    out, back = tmp_path / "out", tmp_path / "back"
    assert main(("convert", command, str(run), "--to", str(out), *flags)) == 0
    assert main(("convert", "jax", str(out), "--to", str(back))) == 0
    first, second = read_trained(run), read_trained(back)
    assert (first.step, first.metadata) == (second.step, second.metadata)
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        assert array.dtype == second.arrays[name].dtype
        np.testing.assert_array_equal(array, second.arrays[name], err_msg=name)
    assert read_experiment(back) == read_experiment(run)


def test_the_language_model_is_a_reference_unless_asked_for(run, tmp_path):
    for llm, whole in (("reference", False), ("include", True)):
        out = tmp_path / llm
        assert main(("convert", "torch", str(run), "--to", str(out), "--llm", llm)) == 0
        tensors = load_file(out / "model.safetensors")
        place = json.loads((out / "config.json").read_text())["language_model"]
        assert (place is None) == whole
        assert any(name.startswith("language_model.") for name in tensors) == whole
        assert (out / "tokenizer.model").exists()
    stored = load_file(run.parent / "hf" / "model-00001-of-00003.safetensors")
    for name, array in stored.items():
        np.testing.assert_array_equal(tensors[f"language_model.{name}"], array)


def test_without_a_hugging_face_directory_a_place_must_be_named(run, tmp_path, capsys):
    experiment = read_experiment(run)
    weights = dataclasses.replace(
        experiment.weights, llama=str(Path(experiment.weights.llama).parent / "llama.safetensors")
    )
    metadata = read_trained(run).metadata
    other = write_run(dataclasses.replace(experiment, weights=weights), tmp_path / "r", metadata)
    words = ("convert", "torch", str(other), "--to", str(tmp_path / "out"))
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "weights.llama: " in line and "--base, or use --llm include" in line
    assert not (tmp_path / "out").exists()
    assert main((*words, "--base", "meta-llama/Llama-2-7b-chat-hf")) == 0


def test_the_card_tells_the_metrics_and_the_configuration(run, tmp_path):
    results = {"benchmark": "bench", "split": "test", "tasks": {"diffmcq": {"accuracy": 0.75}}}
    (run / "results.json").write_text(json.dumps(results))
    assert main(("convert", "torch", str(run), "--to", str(tmp_path / "out"))) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert '- diffmcq: {"accuracy": 0.75}' in card and "trained steps: 7" in card
    assert "| llama.width | 16 |" in card


@pytest.mark.parametrize("command", ["torch", "projector", "jax"])
def test_an_existing_directory_is_left_alone(run, command, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(("convert", "projector", str(run), "--to", str(out))) == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    source = out if command == "jax" else run
    assert main(("convert", command, str(source), "--to", str(out))) == 2
    assert f"{out}: exists already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_is_missing_is_named(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(("convert", "projector", str(run), "--to", str(out))) == 0
    tensors = load_file(out / "resampler.safetensors")
    del tensors["resampler.layers.0.query.weight"]
    save_file(tensors, out / "resampler.safetensors")
    assert main(("convert", "jax", str(out), "--to", str(tmp_path / "back"))) == 2
    assert "missing tensor resampler.layers.0.query.weight" in capsys.readouterr().err
    (out / RUN_FILE).unlink()
    assert main(("convert", "jax", str(out), "--to", str(tmp_path / "back"))) == 2
    assert f"{out / RUN_FILE}: not of an exported run" in capsys.readouterr().err
    assert not (tmp_path / "back").exists()


def test_training_starts_from_an_imported_run_but_does_not_go_on_in_it(tmp_path, capsys):
    experiment = write_tiny_experiment(tmp_path)
    experiment = dataclasses.replace(
        experiment,
        optimizer=dataclasses.replace(experiment.optimizer, steps=1, warmup_steps=0),
        loop=dataclasses.replace(experiment.loop, evaluate_every=0),
    )
    first = train(experiment)
    out, back = tmp_path / "out", tmp_path / "back"
    assert main(("convert", "projector", str(first), "--to", str(out))) == 0
    assert main(("convert", "jax", str(out), "--to", str(back))) == 0
    config = tmp_path / "config.py"
    config.write_text(
        "from pathlib import Path\nfrom stepdiff_jax.config_files import read_experiment\n"
        f"experiment = lambda: read_experiment(Path({str(back)!r}))\n"
    )
    words = ("train", str(config), "--loop.run-directory")
    assert main((*words, str(back), "--optimizer.steps", "1")) == 2
    assert "trained weights alone, without the optimizer's state" in capsys.readouterr().err
    second = tmp_path / "second"
    assert main((*words, str(second), "--weights.initial-run", str(back))) == 0
    assert read_trained(second).step == 1
