"""Repeatedly kills a training run with SIGKILL at random steps, and compares the final state.

    python -m launch.bench.random_kills CONFIG --directory DIR [--kills 5] [-- --field value ...]

Trains CONFIG without interruption in DIR/undisturbed, then in DIR/killed, where the process is
killed at random steps and restarted. Prints the steps, and whether all trained arrays and logged
losses are bitwise equal.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np

from stepdiff_jax.checkpoint import load_trained
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.training.experiment_program import build_program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options, flags = parser.parse_known_args()
    flags = [flag for flag in flags if flag != "--"]
    undisturbed, killed = options.directory / "undisturbed", options.directory / "killed"
    assert start(options.config, undisturbed, flags).wait() == 0
    last = newest(undisturbed)
    draw = random.Random(options.seed)
    for step in sorted(draw.sample(range(1, last), options.kills)):
        process = start(options.config, killed, flags)
        while newest(killed) < step and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draw.random() / 2)  # any point in a step or a save
        process.send_signal(signal.SIGKILL)
        print(f"kill at step {step}: exit code {process.wait()} after step {newest(killed)}")
    assert start(options.config, killed, flags).wait() == 0
    _, fresh, _ = build_program(read_experiment(undisturbed))
    weights = [load_trained(run, fresh) for run in (undisturbed, killed)]
    same = jax.tree.map(np.array_equal, *(jax.tree.map(np.asarray, one) for one in weights))
    equal = jax.tree.leaves(same)
    print(f"trained arrays bitwise equal: {sum(equal)} of {len(equal)}")
    print(f"losses of {last} steps bitwise equal: {losses(undisturbed) == losses(killed)}")


def start(config: str, run: Path, flags: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "launch", "train", config]
    words = ["--loop.run-directory", str(run), "--loop.log-every", "1", *flags]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [*command, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def losses(run: Path) -> dict[int, float]:
    """Step -> logged loss, without a truncated last line."""
    path = run / "metrics.jsonl"
    if not path.exists():
        return {}
    *lines, _ = path.read_text().split("\n")
    rows = map(json.loads, lines)
    return {row["step"]: row["loss"] for row in rows}


def newest(run: Path) -> int:
    """The last logged step; 0 before the first."""
    return max(losses(run), default=0)


if __name__ == "__main__":
    main()
