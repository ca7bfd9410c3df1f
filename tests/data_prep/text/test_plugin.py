"""`--model.kind MODULE:FUNCTION`: a user's own language model in the text stages."""

import json
import sys
from pathlib import Path

import pytest

from launch.cli import main
from stepdiff_jax.jsonl import read_jsonl, write_jsonl

MODULE = """
from data_prep.text.language_models.base import Completion

class Echo:
    def __init__(self, options, word):
        self.options, self.word = options, word

    def complete(self, prompts):
        for prompt in prompts:
            yield Completion(f"{self.word} {prompt.facts['clip']} {self.options.new_tokens}", 3, 2)

class Named(Echo):
    settings = {"kind": "echo"}

def echo(options, *, word="says"):
    return Echo(options, word)

def named(options):
    return Named(options, "says")

def fails(options):
    raise RuntimeError("no weights\\nhere")

def nothing(options):
    return None

number = 3
"""


@pytest.fixture
def directory(tmp_path, monkeypatch) -> Path:
    """The current directory, with modules and two clips."""
    (tmp_path / "echo_plugin.py").write_text(MODULE)
    (tmp_path / "broken_plugin.py").write_text("import json\nimport nonsense_package\n")
    seen = {"keystep": "stir", "narration": ""}
    write_jsonl(tmp_path / "clips.jsonl", [{"clip": f"v{n}_0_1", **seen} for n in range(2)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("echo_plugin", "broken_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def describe(*flags: str) -> int:
    words = "prep describe --clips clips.jsonl --destination d.jsonl --model.kind"
    return main([*words.split(), *flags])


def settings() -> dict:
    return json.loads(Path("d.summary.json").read_text())["settings"]


def test_a_plugin_answers_with_its_options(directory):
    own = ("--model.options", "word=sees", "--model.new-tokens", "7")
    assert describe("echo_plugin:echo", *own) == 0
    told = [line.fields["description"] for line in read_jsonl("d.jsonl")]
    assert told == ["sees v0_0_1 7", "sees v1_0_1 7"]
    recorded = settings()
    assert (recorded["kind"], recorded["new_tokens"]) == ("echo_plugin:echo", 7)
    assert recorded["options"] == ["word=sees"]


def test_what_is_done_is_not_written_over_with_other_options(directory, capsys):
    assert describe("echo_plugin:echo") == 0
    assert describe("echo_plugin:echo", "--model.options", "word=sees") == 2
    assert "was made with options = None, not ['word=sees']" in capsys.readouterr().err


def test_a_model_may_say_what_is_recorded_of_it(directory):
    assert describe("echo_plugin:named") == 0
    assert settings()["kind"] == "echo"
    assert "new_tokens" not in settings()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("oracle",),
            "--model.kind: must be endpoint, own or MODULE:FUNCTION, got 'oracle'",
        ),
        (("echo_plugin:",), "--model.kind: must be MODULE:NAME, got 'echo_plugin:'"),
        (("nowhere.at_all:f",), "--model.kind nowhere.at_all:f: no module 'nowhere'"),
        (
            ("broken_plugin:f",),
            "--model.kind broken_plugin:f: {}/broken_plugin.py, line 2: ModuleNotFoundError: "
            "No module named 'nonsense_package'",
        ),
        (
            ("echo_plugin:other",),
            "--model.kind echo_plugin:other: module 'echo_plugin' has no 'other'",
        ),
        (("echo_plugin:number",), "--model.kind echo_plugin:number: must be a function, got 3"),
        (
            ("echo_plugin:nothing",),
            "--model.kind echo_plugin:nothing: must return an object with a method "
            "complete(prompts), got None",
        ),
        (
            ("echo_plugin:fails",),
            "--model.kind echo_plugin:fails: {}/echo_plugin.py, line 22: RuntimeError: no weights "
            "here",
        ),
        (
            ("echo_plugin:named", "--model.options", "word=a"),
            "--model.options of echo_plugin:named: got an unexpected keyword argument 'word'",
        ),
        (
            ("echo_plugin:echo", "--model.options", "word"),
            "--model.options: must be NAME=VALUE, got 'word'",
        ),
        (
            ("echo_plugin:echo", "--model.options", "word=a", "word=b"),
            "--model.options: word is given twice",
        ),
        (
            ("endpoint", "--model.options", "word=a"),
            "--model.options word=a: --model.kind endpoint takes none",
        ),
    ],
)
def test_bad_plugins_are_one_line(directory, capsys, flags, message):
    assert describe(*flags) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"stepdiff: error: {message.format(directory)}"
    assert not Path("d.jsonl").exists()
