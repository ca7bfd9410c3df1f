"""Live: what a run trained of the language model gives our logits in transformers and peft."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from ablations import CASES, THREE_LAYERS, ablation, trained_leaves, write_random_run
from launch.cli import main
from parity.test_exported_model import opened
from references.models import causal_logits
from stepdiff_jax.checkpoint import read_trained
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.inference.trained import with_trained_weights
from stepdiff_jax.weights.build import build_model
from tiny_experiment import write_tiny_experiment

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
TOLERANCE = 1e-4

TOKENS = np.random.default_rng(0).integers(0, THREE_LAYERS.vocabulary_size, (2, 11), np.int32)
WRITTEN = [
    ("last layers", ("--llm", "include")),
    ("lora", ("--llm", "reference")),
    ("lora", ("--llm", "include")),
    ("lora", ("--llm", "include", "--adapters", "merged")),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """A run of each case, with random trained weights."""
    pytest.importorskip("peft")
    root = tmp_path_factory.mktemp("ablations")
    tiny = write_tiny_experiment(root / "tiny")
    return {
        case: write_random_run(ablation(tiny, case, root / "hf"), root / f"run{number}")
        for number, case in enumerate(CASES)
    }


@pytest.fixture(scope="module")
def logits(runs) -> dict[str, np.ndarray]:
    """Ours of `TOKENS` by case."""
    positions = jnp.tile(jnp.arange(TOKENS.shape[1]), (len(TOKENS), 1))
    found = {}
    for case, run in runs.items():
        experiment = read_experiment(run)
        model = with_trained_weights(
            build_model(experiment), run, experiment.trainable, allow_other_frozen_weights=True
        )
        found[case] = np.asarray(causal_logits(model.llama, jnp.asarray(TOKENS), positions))
    return found


def assert_close(model, wanted: np.ndarray) -> None:
    with torch.no_grad():
        found = model(input_ids=torch.from_numpy(TOKENS).long()).logits.numpy()
    assert np.std(wanted) > 0.3
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case, flags", WRITTEN)
def test_an_exported_run_gives_our_logits(runs, logits, case, flags, tmp_path):
    out = tmp_path / "out"
    assert main(("convert", "torch", str(runs[case]), "--to", str(out), *flags)) == 0
    model, _ = opened(out)
    assert_close(model, logits[case])
    assert np.abs(logits["lora"] - logits["last layers"]).max() > 100 * TOLERANCE


def test_peft_opens_the_adapters_on_the_base_model(runs, logits, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    out, run = tmp_path / "out", runs["lora"]
    assert main(("convert", "torch", str(run), "--to", str(out))) == 0
    place = read_experiment(run).weights.llama
    base = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, out / "adapter")
    assert_close(model.eval(), logits["lora"])
    unloaded = {name: array.shape for name, array in model.named_parameters() if "lora_" in name}
    assert len(unloaded) == len([name for name in _stacks(run) if ".lora." in name]) * 3


def _stacks(run: Path) -> dict[str, np.ndarray]:
    return trained_leaves(read_experiment(run))


@pytest.mark.parametrize("case, flags", WRITTEN[:3])
def test_there_and_back_is_bitwise_the_same_run(runs, case, flags, tmp_path):
    out, back = tmp_path / "out", tmp_path / "back"
    assert main(("convert", "torch", str(runs[case]), "--to", str(out), *flags)) == 0
    assert main(("convert", "jax", str(out), "--to", str(back))) == 0
    first, second = read_trained(runs[case]).arrays, read_trained(back).arrays
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array, err_msg=name)
        assert second[name].dtype == array.dtype


@pytest.mark.parametrize(
    "case, flags, message",
    [
        ("last layers", (), "the run trained llama.last_blocks."),
        ("last layers", ("--adapters", "merged"), "use --llm include"),
        ("lora", ("--adapters", "merged"), "--adapters merged requires --llm include"),
    ],
)
def test_what_would_be_left_out_is_an_input_error(runs, case, flags, message, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(("convert", "torch", str(runs[case]), "--to", str(out), *flags)) == 2
    assert message in capsys.readouterr().err
    assert main(("convert", "projector", str(runs[case]), "--to", str(out))) == 2
    assert "besides the resampler" in capsys.readouterr().err
    assert not out.exists()


def test_merged_adapters_cannot_be_taken_back(runs, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ("--llm", "include", "--adapters", "merged")
    assert main(("convert", "torch", str(runs["lora"]), "--to", str(out), *flags)) == 0
    assert main(("convert", "jax", str(out), "--to", str(tmp_path / "back"))) == 2
    assert "adapters are merged into the weights" in capsys.readouterr().err
