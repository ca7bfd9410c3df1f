"""`stepdiff ask`: one video and several, many groups, answers that are kept, and the page."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from launch.ask.files import read_groups, read_questions
from launch.cli import main
from stepdiff_jax import StepDiff
from stepdiff_jax.data.prompts import EXTENDED_QUESTIONS
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.loop import train
from tiny_experiment import write_tiny_experiment

QUESTIONS = 'why = "why are they different?"\nnext = "what should they do next?"\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step."""
    root = tmp_path_factory.mktemp("ask")
    experiment = write_tiny_experiment(root)
    optimizer = replace(experiment.optimizer, steps=1, warmup_steps=0)
    loop = replace(experiment.loop, evaluate_every=0)
    return train(replace(experiment, optimizer=optimizer, loop=loop))


@pytest.fixture(scope="module")
def videos(run: Path) -> list[str]:
    return [str(run.parent / "records" / f"train{number}.mp4") for number in range(4)]


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(("ask", *words)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_command_answers_as_the_model_does(run, videos, count, capsys):
    question = ("--question", "what is cut?", "--new-tokens", "5", "--model", str(run))
    said = asked(capsys, *videos[:count], *question)
    model = StepDiff.load(run)
    assert said.rstrip("\n") == model.ask(videos[:count], "what is cut?", new_tokens=5)


def test_all_questions_of_all_groups_at_once_equal_each_by_itself(run, videos):
    model, questions = StepDiff.load(run), ["why?", "what is cut in the second video?"]
    groups = [videos[:2], videos[2:3], videos, videos[1::-1]]
    together = model.answers(groups, questions, new_tokens=6)
    assert together == [
        [model.ask(one, question, new_tokens=6) for question in questions] for one in groups
    ]
    assert len({answer for answers in together for answer in answers}) > 1


def test_every_question_given_is_asked(run, videos, capsys):
    questions = ("--question", "why?", "--question", "what is cut?", "--new-tokens", "3")
    said = asked(capsys, *videos[:2], *questions, "--model", str(run))
    assert [line.split("?")[0] for line in said.splitlines()] == ["why", "what is cut"]


def test_by_default_the_extended_questions_are_asked(run, videos, capsys):
    said = asked(capsys, *videos[:2], "--model", str(run), "--json", "--new-tokens", "2")
    fields = json.loads(said)
    assert fields["videos"] == videos[:2] and list(fields["answers"]) == list(EXTENDED_QUESTIONS)


def test_pairs_are_answered_once_and_shown_on_a_page(run, videos, tmp_path, capsys):
    pairs, answers = tmp_path / "pairs.csv", tmp_path / "answers.jsonl"
    page, prompts = tmp_path / "answers.html", tmp_path / "prompts.toml"
    prompts.write_text(QUESTIONS)
    pairs.write_text(f"reference,candidate\n{videos[0]},{videos[1]}\n{videos[1]},{videos[2]}\n")
    words = (
        *("--pairs", str(pairs), "--answers", str(answers), "--prompts", str(prompts)),
        *("--page", str(page), "--model", str(run), "--new-tokens", "4"),
    )
    asked(capsys, *words)
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [(line["videos"], line["name"]) for line in lines] == [
        (videos[:2], "why"),
        (videos[:2], "next"),
        (videos[1:3], "why"),
        (videos[1:3], "next"),
    ]
    shown = page.read_text()
    assert shown.count("<article") == 2 and shown.count("<img") == 2 * 2 * 8
    assert "what should they do next?" in shown and f"{videos[2]} · " in shown

    # As after a kill: the last line is unfinished, one answer is missing. A pair is added.
    whole = answers.read_text()
    answers.write_text(whole[: whole.rindex('"answer"')])
    with pairs.open("a") as file:
        file.write(f"{videos[3]}@0.1-0.9,{videos[0]}\n")
    asked(capsys, *words)
    again = [json.loads(line) for line in answers.read_text().splitlines()]
    assert again[:3] == lines[:3] and again[3] == lines[3] and len(again) == 6


def test_a_killed_command_goes_on(run, videos, tmp_path):
    pairs, answers = tmp_path / "pairs.jsonl", tmp_path / "answers.jsonl"
    groups = [[f"{videos[n % 4]}@0-{0.5 + n / 100}", videos[(n + 1) % 4]] for n in range(48)]
    pairs.write_text("".join(json.dumps({"videos": group}) + "\n" for group in groups))
    words = ("ask", "--pairs", pairs, "--answers", answers, "--model", run, "--new-tokens", "4")
    command = [sys.executable, "-m", "launch", *map(str, words), "--question", "why?"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not answers.exists() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    kept = answers.read_text().splitlines()
    assert kept and len(kept) < len(groups)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [line["videos"] for line in lines] == groups
    assert [json.dumps(line) for line in lines[: len(kept)]] == kept


def test_another_models_answers_are_refused(run, videos, tmp_path, capsys):
    answers = tmp_path / "answers.jsonl"
    answers.write_text(
        json.dumps({"videos": videos[:1], "question": "q", "answer": "a", "model": "other"}) + "\n"
    )
    words = (videos[0], "--question", "q", "--answers", str(answers), "--model", str(run))
    assert main(("ask", *words)) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{answers}, line 1: field 'model' must be " in told and "got 'other'" in told
    assert len(answers.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give either VIDEO... or --pairs"),
        (("a.mp4", "--pairs", "p"), "give either VIDEO... or --pairs"),
        (("--pairs", "p"), "--pairs needs --answers"),
        (("a.mp4", "--question", "q", "--prompts", "p"), "mutually exclusive"),
        (("a.mp4", "--new-tokens", "0"), "--new-tokens must be at least 1, got 0"),
        (tuple("abcdefghi"), "VIDEO... must be 1 to 8 videos, got 9"),
    ],
)
def test_wrong_options_are_one_line(words, message, capsys):
    assert main(("ask", *words, "--model", "m")) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


def test_a_missing_video_is_named_before_the_model_is_loaded(run, videos, tmp_path, capsys):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"reference": videos[0], "candidate": "nowhere.mp4"}) + "\n")
    words = ("--pairs", str(pairs), "--answers", str(tmp_path / "a"), "--model", str(run))
    assert main(("ask", *words)) == 2
    told = capsys.readouterr().err
    assert "nowhere.mp4" in told and told.count("\n") == 1
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "reference,second\na,b\n", "column 'candidate' is missing"),
        ("p.csv", "reference,candidate\na,\n", "line 2"),
        ("p.csv", "reference,candidate\n", "is empty"),
        ("p.jsonl", '{"videos": []}\n', "line 1: field 'videos' must be a non-empty list"),
        ("p.jsonl", '{"reference": "a"}\n', "field 'candidate' is missing"),
        ("p.jsonl", json.dumps({"videos": ["a"] * 9}), "line 1: field 'videos' must be 1 to 8"),
    ],
)
def test_wrong_groups_are_one_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_groups(path)
    assert str(path) in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no questions"),
        ("why", "cannot be read"),
        ("why = 3", "'why' must be a question, got 3"),
        ('why = " "', "'why' must be a question, got ' '"),
    ],
)
def test_wrong_questions_are_one_line(tmp_path, text, message):
    path = tmp_path / "prompts.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(path) in str(caught.value) and message in str(caught.value)
