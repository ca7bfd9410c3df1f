"""The whole chain on a rendered kitchen, by its one command, up to steps of training."""

import hashlib
import json
import shlex
from pathlib import Path

from launch.chain import main, training_command
from launch.cli import main as stepdiff
from record_sources import read_lines
from stepdiff_jax.data.records import open_records

WORLD = ["--train-videos", "4", "--validation-videos", "2", "--processes", "1"]
TWO_STEPS = ["--optimizer.steps", "2", "--optimizer.warmup-steps", "1", "--loop.log-every", "1"]
TWO_STEPS += ["--data.batch-rows", "8", "--resampler.layers", "1"]


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_one_command_makes_what_training_reads(tmp_path, capsys):
    command = ["--directory", str(tmp_path), *WORLD]
    assert main(command) == 0
    printed = capsys.readouterr().out
    clips = {row["clip"]: row for row in read_lines(tmp_path / "records/clips.jsonl")}
    packed = open_records(tmp_path / "data", "clips", "train")
    assert len(clips) == 6 * 5
    pairs = read_lines(tmp_path / "records/filtered.jsonl")
    rows = [row for row in pairs if row["split"] == "train"]
    assert len(rows) > 3
    for row, record in zip(rows, open_records(tmp_path / "data", "pairs", "train"), strict=True):
        ids = [packed[place].id for place in (record.reference, record.candidate)]
        assert ids == [row["reference"], row["candidate"]]
        asked = [(one.question, one.answer) for one in record.questions]
        assert asked == [(one["question"], one["answer"]) for one in row["questions"]]

    assert str(len(pairs)) in (tmp_path / "inspect.html").read_text()
    made = digests(tmp_path)
    assert main(command) == 0  # nothing is left to do
    assert digests(tmp_path) == made
    assert main([*command, "--train-videos", "5"]) == 2
    assert "was made from other input" in capsys.readouterr().err

    train = training_command(tmp_path)
    assert printed.splitlines()[-1] == f"$ {shlex.join(train)}"
    assert stepdiff([*train[1:], *TWO_STEPS]) == 0
    metrics = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").open()]
    assert [row["step"] for row in metrics] == [1, 2]
