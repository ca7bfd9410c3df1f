"""The whole chain of stages on a small kitchen: its settings, and its files on one machine."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from data_prep.cli.prep import STAGES
from launch.chain import Chain, render, stage_commands

CHAIN = Chain(Path(), train_videos=4, validation_videos=2, processes=1)


def write_kitchen(directory: Path) -> Path:
    """Render the kitchen and write the settings of `prep all` for it; returns their file."""
    directory.mkdir(parents=True)
    chain = Chain(directory, train_videos=4, validation_videos=2, processes=1)
    render(chain)
    settings = directory / "settings.toml"
    settings.write_text(toml(CHAIN))
    return settings


def toml(chain: Chain) -> str:
    """The chain's commands as tables."""
    lines = []
    for name, words in stage_commands(chain):
        assert name in STAGES
        lines.append(f"[{name}]")
        for word in words:
            if word.startswith("--"):
                lines.append(f"{word.removeprefix('--')} = []")
            else:
                key, _, values = lines[-1].partition(" = ")
                lines[-1] = f"{key} = {json.dumps([*json.loads(values), word])}"
    return "\n".join(lines) + "\n"


def files(directory: Path) -> dict[str, str]:
    """Every file of the stages' output, hidden ones too -> digest of its bytes."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in ("records", "data")
        for path in sorted((directory / part).rglob("*"))
        if path.is_file()
    }


def stepdiff(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `stepdiff` in a directory, as a user does."""
    program = Path(sys.executable).with_name("stepdiff")
    return subprocess.run(
        [sys.executable, program, *words], cwd=directory, capture_output=True, text=True
    )
