"""Programs of inference: their work by arithmetic, what stays beside them, and bad combinations."""

import dataclasses
import json

import pytest

import configs.kitchen
import configs.stepdiff
from launch.cli import main
from stepdiff_jax.aot.inference_flops import encode_flops, score_flops, token_flops
from stepdiff_jax.aot.programs import PROGRAMS
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.training.flops import step_flops

SMALL = ["--llama.layers", "1", "--resampler.layers", "1"]
BATCH = ["--batch.rows", "8", "--batch.row-tokens", "128", "--batch.new-tokens", "4"]


def test_a_forward_pass_is_half_of_a_step_without_trained_parts():
    experiment = configs.stepdiff.experiment()
    data = experiment.data
    shape = BatchShape(rows=data.batch_rows, row_tokens=data.row_length, answers=data.row_answers)
    step = step_flops(experiment)
    assert score_flops(experiment, shape).total == pytest.approx(step.language_model / 2)
    clips = dataclasses.replace(shape, clips=data.batch_rows * data.row_videos)
    encoded = encode_flops(experiment, clips)
    assert encoded.encoder == step.encoder
    assert encoded.resampler == pytest.approx(step.resampler / 3)


def test_a_token_of_70b_is_about_two_flops_a_weight():
    experiment = configs.stepdiff.experiment("llama2-70b")
    work = token_flops(experiment, BatchShape(rows=16, branches=4)).total
    assert work == pytest.approx(2 * 68.7e9 * 64, rel=0.05)


def command(capsys, *arguments):
    code = main(["aot", "kitchen", "--topology", "v5e:2x2", *SMALL, *BATCH, *arguments])
    output = capsys.readouterr()
    return code, output.out, output.err.strip()


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "train"])
def test_every_program_compiles_for_a_slice(capsys, program):
    pytest.importorskip("libtpu")
    code, output, _ = command(capsys, "--program", program, "--batch.tensor", "2", "--json")
    assert code == 0
    fit = json.loads(output)
    assert (fit["program"], fit["fits"]) == (program, True)
    assert fit["mesh"]["data"] == (4 if program == "encode" else 2)
    assert fit["beside_bytes"] > 0
    assert fit["schedule_seconds"] > 0
    # The padding to the chip's tiles of 8 and 128 is not in the analytic count.
    assert fit["product_flops"] >= 0.9 * fit["flops"]["total"]
    loops = [one["name"] for one in fit["open_loops"]]
    assert loops == (["jit(advance)/while"] if program == "generate" else [])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--program", "score", "--save", "x"], "--save is for --program train, not score"),
        (["--program", "score", "--batch.rows", "0"], "batch.rows must be an integer from 1"),
        (["--program", "score", "--batch.tensor", "3"], "do not make up 4 devices"),
        (["--program", "generate", "--batch.tensor", "16"], "do not make up 4 devices"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    pytest.importorskip("libtpu")
    code, _, error = command(capsys, *arguments)
    assert code == 2
    assert message in error
    assert "\n" not in error
