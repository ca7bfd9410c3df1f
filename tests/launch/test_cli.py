"""The `stepdiff` command: what it prints, and one line and exit code 2 on bad input."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from data_prep.cli.prep import STAGES
from launch.cli import COMMANDS, main

GROUND_TRUTH = [
    {"reference": "a_0_5", "targets": [f"{x}_0_5" for x in "bcde"], "category": "Visuals",
     "scores": [5, 4, 2, 1]},
    {"reference": "b_0_5", "targets": [f"{x}_0_5" for x in "acde"], "category": "Visuals",
     "scores": [5, 4, 2, 1]},
]  # fmt: skip
PREDICTIONS = [{"scores": [4, 3, 2, 1]}, {"scores": [1, 2, 3, 4]}]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    output = capsys.readouterr()
    return code, output.out, output.err


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message of a command that must fail with one line, nothing on stdout and exit code 2."""
    code, output, error = run(capsys, *arguments)
    assert (code, output) == (2, "")
    (line,) = error.splitlines()
    assert line.startswith("stepdiff: error: ")
    return line.removeprefix("stepdiff: error: ")


def write_lines(path: Path, lines: list[dict]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_score_prints_one_json_object(capsys, tmp_path):
    ground_truth = write_lines(tmp_path / "truth.jsonl", GROUND_TRUTH)
    predictions = write_lines(tmp_path / "predictions.jsonl", PREDICTIONS)
    code, output, error = run(
        capsys, "score", "--task", "diffrank", "--ground-truth", ground_truth,
        "--predictions", predictions,
    )  # fmt: skip
    assert (code, error) == (0, "")
    metrics = json.loads(output)
    assert (metrics["ktau"], metrics["instances"]) == (0.0, 2)  # taus of 1 and -1


def test_score_of_files_of_different_length(capsys, tmp_path):
    ground_truth = write_lines(tmp_path / "truth.jsonl", GROUND_TRUTH)
    predictions = write_lines(tmp_path / "predictions.jsonl", PREDICTIONS[:1])
    message = error_of(
        capsys, "score", "--task", "diffrank", "--ground-truth", ground_truth,
        "--predictions", predictions,
    )  # fmt: skip
    assert message == f"{predictions}: has 1 predictions for the 2 instances of {ground_truth}"


def test_score_adds_intervals_and_a_comparison_when_asked(capsys, tmp_path):
    ground_truth = write_lines(tmp_path / "truth.jsonl", GROUND_TRUTH)
    first = write_lines(tmp_path / "first.jsonl", PREDICTIONS)
    other = write_lines(tmp_path / "other.jsonl", PREDICTIONS[::-1])
    command = ("score", "--task", "diffrank", "--ground-truth", ground_truth, "--predictions")
    plain = json.loads(run(capsys, *command, first)[1])
    more = json.loads(run(capsys, *command, first, "--intervals", "--against", other)[1])
    intervals, against = more.pop("intervals"), more.pop("against")
    assert more == plain
    assert intervals["ktau"] == {"low": -1.0, "high": 1.0}
    assert intervals["by_category"]["Visuals"] == {
        name: intervals[name] for name in ("ktau", "ktau_nan_as_zero")
    }
    assert against["ktau"]["difference"] == 0.0
    short = write_lines(tmp_path / "short.jsonl", PREDICTIONS[:1])
    message = error_of(capsys, *command, first, "--against", short)
    assert message == f"{short}: has 1 predictions for the 2 instances of {ground_truth}"


@pytest.mark.parametrize("command", [(name,) for name in COMMANDS])
def test_every_command_has_help(capsys, command):
    code, output, error = run(capsys, *command, "--help")
    assert (code, error) == (0, "")
    assert output.startswith(f"usage: stepdiff {' '.join(command)} ")


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_help(capsys, stage):
    code, output, _ = run(capsys, "prep", stage, "--help")
    assert code == 0
    assert output.startswith(f"usage: stepdiff prep {stage} ")


def test_help_lists_the_commands(capsys):
    code, output, _ = run(capsys, "--help")
    assert code == 0
    assert re.findall(r"^  (\w+) ", output, re.MULTILINE) == list(COMMANDS)


def test_every_field_of_a_config_is_a_flag_with_its_value(capsys):
    code, output, _ = run(capsys, "train", "stepdiff_70b", "--help")
    assert code == 0
    assert re.search(r"--llama\.layers INT[ │\n]+\(default: 80\)", output)
    for name in ("--name ", "--data.mixture.1.weight ", "--encoder.text.width "):
        assert name in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a command is missing; "),
        (("trane",), "unknown command 'trane'; "),
        (("prep", "pck"), "unknown command 'pck'; "),
        (("train",), "CONFIG is missing: "),
        (("train", "kichen"), "kichen: no config of this name; "),
        (("train", "nowhere/mine.py"), "nowhere/mine.py: no such config file"),
        (("train", "kitchen", "--optimizer.stps", "3"), "Unrecognized options: --optimizer.stps"),
        (("train", "kitchen", "--optimizer.steps", "x"), "Error parsing --optimizer.steps: "),
        (("evaluate", "kitchen"), "Missing from stepdiff evaluate kitchen: --benchmark PATH "),
        (
            ("evaluate", "kitchen", "--benchmark", "nowhere", "--task", "diffmcq"),
            "nowhere/diffmcq_dataset.jsonl: cannot be read: No such file",
        ),
        (("score", "--task", "diffcap"), "Missing from stepdiff score: --ground-truth PATH "),
        (
            ("score", "--task", "x", "--ground-truth", "a", "--predictions", "b"),
            "invalid choice 'x' for argument '--task'",
        ),
        (
            ("score", "--task", "diffcap", "--ground-truth", "nowhere", "--predictions", "b"),
            "nowhere: cannot be read: ",
        ),
        (("compare", "a", "--model", "m"), "Missing from stepdiff compare: CANDIDATE "),
        (
            ("compare", "a", "b", "--model", "m", "--question", "q", "--category", "c"),
            "--question and --category are mutually exclusive",
        ),
        (("rank", "a", "--model", "m", "--category", "c"), "CANDIDATE is missing"),
        (
            ("prep", "sequences", "--directory", "nowhere"),
            "nowhere/clips.jsonl: cannot be read: ",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, arguments, message):
    assert error_of(capsys, *arguments).startswith(message)


def test_train_takes_the_config_with_the_flags_over_it(capsys):
    message = error_of(capsys, "train", "kitchen", "--loop.log-every", "0")
    assert message == "loop.log_every must be an integer from 1 to 100000000, got 0"


def test_a_reader_that_goes_away_is_no_stack_trace():
    command = f"{sys.executable} -m launch train kitchen --help | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("usage: stepdiff train")
    assert done.stderr == ""


def test_the_version_is_the_packages(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"stepdiff {version('stepdiff-jax')}\n"
