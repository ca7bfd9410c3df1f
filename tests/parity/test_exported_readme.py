"""Live: the code in an exported directory's README runs as it stands, in a process of its own."""

import dataclasses
import re
import shutil
import subprocess
import sys

import pytest

from launch.cli import main
from llama_files import write_directory
from references.llama import weights
from stepdiff_jax.checkpoint import CheckpointMetadata
from tiny_experiment import LLAMA, write_tiny_experiment
from weights.test_torch_export import write_run

pytest.importorskip("torch")
pytestmark = pytest.mark.parity


def test_the_readmes_code_runs_in_its_directory(tmp_path):
    experiment = write_tiny_experiment(tmp_path)
    llama = str(write_directory(tmp_path / "hf", LLAMA, weights(LLAMA, seed=3)))
    experiment = dataclasses.replace(
        experiment, weights=dataclasses.replace(experiment.weights, llama=llama)
    )
    metadata = CheckpointMetadata("", dataclasses.asdict(experiment.resampler), "hash")
    run = write_run(experiment, tmp_path / "trained", metadata)
    exported = tmp_path / "exported"
    words = ("convert", "torch", str(run), "--to", str(exported), "--llm", "include")
    assert main(words) == 0
    (code,) = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), re.DOTALL)
    for name, number in (("a", 0), ("b", 1)):
        shutil.copyfile(tmp_path / f"records/train{number}.mp4", exported / f"{name}.mp4")
    # A script in another directory: Python finds no module beside it.
    script = tmp_path / "use.py"
    script.write_text(code)
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=exported, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"-\d+\.\d+", done.stdout.splitlines()[-1])
