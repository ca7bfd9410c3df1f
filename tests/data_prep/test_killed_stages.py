"""Every stage, killed at random moments and started again, and in shards: the same bytes."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from killed_stage import counted, killed
from launch.chain import Chain, render, stage_commands
from launch.cli import main

CHAIN = Chain(Path(), train_videos=4, validation_videos=2, processes=1)
STAGES = [name for name, _ in stage_commands(CHAIN)]
SHARDED = [name for name in STAGES if name not in ("pack", "inspect")]
KILLS = 3
"""One in each third of a stage's lines; and as many while it writes its files."""
SURE = 0.97
"""Of the lines; a process that did other work before has filled some caches, and runs fewer."""


class Done(NamedTuple):
    """A stage that ran undisturbed: the directories before and after it, and its lines of code.

    writing: the lines that write JSON Lines.
    """

    words: tuple[str, ...]
    before: Path
    after: Path
    lines: int
    writing: list[int]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, Done]:
    """All stages of the chain, with paths relative to their directory."""
    root = tmp_path_factory.mktemp("chain")
    here = Path.cwd()
    done = {}
    previous = root / "world"
    previous.mkdir()
    try:
        os.chdir(previous)
        render(CHAIN)
        spoil(Path("world"))
        for name, arguments in stage_commands(CHAIN):
            after = shutil.copytree(previous, root / name)
            os.chdir(after)
            words = ("prep", name, *arguments)
            done[name] = Done(words, previous, after, *counted(words))
            previous = after
    finally:
        os.chdir(here)
    return done


def spoil(world: Path) -> None:
    """A segment that is no clip, and a clip of which the oracle knows nothing."""
    annotations = json.loads((world / "annotations.json").read_text())
    first = next(iter(annotations.values()))
    first["annotations"].append({"id": 99, "segment": [0, 1], "partial": "Full Match"})
    (world / "annotations.json").write_text(json.dumps(annotations))
    truth = (world / "truth.jsonl").read_text().splitlines()
    (world / "truth.jsonl").write_text("".join(f"{line}\n" for line in truth[1:]))


def files(directory: Path) -> dict[str, str]:
    """Every file, hidden ones too -> digest of its bytes."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", STAGES)
def test_killed_at_a_random_moment_a_stage_leaves_the_same_bytes(
    name, undisturbed, tmp_path, monkeypatch, capsys
):
    stage = undisturbed[name]
    whole = files(stage.after)
    draw = random.Random(f"{name} 0")
    moments = [
        1 + int(SURE * stage.lines * (number + draw.random()) / KILLS) for number in range(KILLS)
    ]
    moments += draw.sample(stage.writing[1:], min(KILLS, len(stage.writing[1:])))
    for moment in moments:
        directory = shutil.copytree(stage.before, tmp_path / str(moment))
        assert killed(stage.words, directory, moment) == -signal.SIGKILL
        finished = journalled(directory)
        monkeypatch.chdir(directory)
        assert main(stage.words) == 0
        assert files(directory) == whole, f"killed after {moment} of {stage.lines} lines"
        told = capsys.readouterr().err
        for journal, records in finished.items():  # what was finished is not done again
            left = re.search(rf"{journal.stem}: \d+/(\d+) records", told)
            summary = directory / journal.with_suffix(".summary.json")
            assert records + int(left[1] if left else 0) == json.loads(summary.read_text())["in"]


@pytest.mark.parametrize("name", SHARDED)
def test_shards_together_are_the_whole(name, undisturbed, tmp_path, monkeypatch):
    stage = undisturbed[name]
    for shards in (1, 4):
        directory = shutil.copytree(stage.before, tmp_path / str(shards))
        monkeypatch.chdir(directory)
        for number in range(1, shards + 1):
            assert main((*stage.words, "--shard", f"{number}/{shards}")) == 0
    assert files(tmp_path / "1") == files(stage.after)
    for path in new_files(stage, "*.jsonl"):
        parts = [tmp_path / "4" / numbered(path, number) for number in range(1, 5)]
        lines = [line for part in parts for line in part.read_text().splitlines()]
        assert sorted(lines) == sorted((stage.after / path).read_text().splitlines())


def numbered(path: Path, number: int) -> Path:
    """`clips.jsonl` -> `clips.2-of-4.jsonl`, `clips.quarantine.jsonl` -> `clips.2-of-4.quar...`."""
    stem, rest = path.name.split(".", 1)
    return path.with_name(f"{stem}.{number}-of-4.{rest}")


def new_files(stage: Done, pattern: str) -> list[Path]:
    """What the stage has added, relative to its directory."""
    added = files(stage.after).keys() - files(stage.before).keys()
    return [path for path in map(Path, sorted(added)) if path.match(pattern)]


def journalled(directory: Path) -> dict[Path, int]:
    """Journals that a killed run has left -> the records that it had finished."""
    return {
        path.relative_to(directory): len(path.read_text().splitlines()) - 1
        for path in directory.rglob("*.part")
    }
