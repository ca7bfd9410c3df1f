"""`stepdiff prep all`: one file of settings, checked whole before the first stage."""

from pathlib import Path

import pytest

from data_prep.cli.options import OPTIONS
from data_prep.cli.prep import STAGES
from data_prep.cli.settings import read_settings
from launch.cli import main
from record_sources import write_lines

SETTINGS = """
[filter]
questions = "{0}/questions.jsonl"
destination = "{0}/filtered.jsonl"

[pair]
clips = "{0}/clips.jsonl"
destination = "{0}/pairs.jsonl"
per_clip = 3
"""


@pytest.fixture
def directory(tmp_path) -> Path:
    """Three clips of one keystep, and a pair with a question."""
    rows = [{"clip": f"v{n}_0_9", "keystep": "stir", "split": "train"} for n in range(3)]
    write_lines(tmp_path / "clips.jsonl", rows)
    pair = {"reference": "a", "candidate": "b", "reference_description": "adds salt."}
    question = {
        "question": "what differs between the videos?",
        "answer": "the first video has salt, the second has sugar",
    }
    pair |= {"candidate_description": "adds sugar.", "questions": [question]}
    write_lines(tmp_path / "questions.jsonl", [pair])
    return tmp_path


def run(directory: Path, text: str, *more: str) -> int:
    (directory / "settings.toml").write_text(text.format(directory))
    return main(["prep", "all", str(directory / "settings.toml"), *more])


def test_stages_run_in_their_order_and_once(directory, capsys):
    assert run(directory, SETTINGS) == 0
    told = capsys.readouterr()
    commands = [line.split()[3] for line in told.out.splitlines() if line.startswith("$ ")]
    assert commands == ["pair", "filter"]
    assert (directory / "pairs.jsonl").exists() and (directory / "filtered.jsonl").exists()
    assert run(directory, SETTINGS) == 0
    assert capsys.readouterr().err.count("already done") == 2


def test_a_check_runs_nothing(directory, capsys):
    assert run(directory, SETTINGS, "--check") == 0
    assert capsys.readouterr().out.startswith(f"$ stepdiff prep pair --clips {directory}/clips")
    assert not (directory / "pairs.jsonl").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[filter]", "[filters]", "[filters]: no such stage; known: import-llava, clips"),
        ("[filter]", "filter = 1\n[pack]", "filter must be a table [filter], got 1"),
        ("[pair]", "[pair", "is not TOML"),
        ("per_clip", "per_klip", "[pair]: Unrecognized options: --per-klip"),
        ("per_clip = 3", 'per_clip = "x"', "[pair]: "),
        ("per_clip = 3", "per_clip = [{{}}]", "field 'per_clip' must be plain values, got [{}]"),
        ("per_clip = 3", "lowest = 2.0", "[pair]: --lowest 2.0: must be below --highest"),
        ("per_clip = 3", 'shard = "3/2"', "[pair]: --shard 3/2: must be i/N"),
        ("{0}/clips", "{0}/klips", "klips.jsonl: is not there, and no earlier stage writes it"),
        ("{0}/pairs.jsonl", "/proc/none/p.jsonl", "[pair]: /proc/none: cannot be written"),
        ("{0}/filtered.jsonl", "/proc/none/f.jsonl", "[filter]: /proc/none: cannot be written"),
    ],
)
def test_any_error_is_named_before_the_first_stage(directory, capsys, old, new, message):
    assert run(directory, SETTINGS.replace(old, new)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"stepdiff: error: {directory}/settings.toml: ")
    assert message in line
    assert not (directory / "pairs.jsonl").exists()


def test_an_input_that_an_earlier_stage_writes_need_not_be_there(directory):
    text = '[describe]\nclips = "{0}/clips.jsonl"\ndestination = "{0}/new/d.jsonl"\n'
    text += 'model.name = "m"\n[pair]\nclips = "{0}/clips.jsonl"\n'
    text += 'descriptions = "{0}/new/d.jsonl"\ndestination = "{0}/new/p.jsonl"\n'
    assert run(directory, text, "--check") == 0


def test_the_file_may_be_missing(tmp_path, capsys):
    assert main(["prep", "all", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read: No such file" in capsys.readouterr().err


def test_options_for_all_stages_go_to_those_that_have_them(directory, capsys):
    assert run(directory, SETTINGS, "--retry-quarantined", "--check") == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$ ")]
    assert all(command.endswith(" --retry-quarantined") for command in commands)
    assert run(directory, SETTINGS, "--beam-options", "a=b") == 2
    assert "--beam-options needs --beam-runner" in capsys.readouterr().err


def test_values_become_words(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(
        '[features]\nconfig = "kitchen"\nsplits = ["train", "test"]\n[describe]\nmodel.name = "m"\n'
        "model.new_tokens = 9\nobject-score = 0.5\nretry_quarantined = true\n[pack]\na = false\n"
    )
    assert read_settings(path, OPTIONS) == {
        "describe": [
            *("--model.name", "m", "--model.new-tokens", "9", "--object-score", "0.5"),
            "--retry-quarantined",
        ],
        "pack": ["--no-a"],
        "features": ["kitchen", "--splits", "train", "test"],
    }


def test_every_stage_can_be_in_the_file():
    assert OPTIONS.keys() == STAGES.keys()
