"""Peak memory of exporting a run over a made-up 5 GB Llama in bfloat16; prints one line of JSON.

    PYTHONPATH=tests python launch/bench/export_memory.py --directory /tmp/llama --to /tmp/exported

The Llama is that of launch/bench/loading_memory.py, which writes it where it is not there; the
encoder and the records are those of the tests' tiny experiment.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from launch.bench.loading_memory import CONFIG, INDEX, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    if not (options.directory / INDEX).exists():
        # In a process of its own: the peak of this one is to be that of the export.
        program = (
            "import sys; from pathlib import Path; from launch.bench.loading_memory import write;"
            "write(Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", program, options.directory], check=True)

    from stepdiff_jax.checkpoint import CheckpointMetadata
    from stepdiff_jax.weights.export.torch_export import export_torch
    from tiny_experiment import write_tiny_experiment
    from weights.test_torch_export import write_run

    with tempfile.TemporaryDirectory() as root:
        experiment = write_tiny_experiment(Path(root) / "tiny")
        experiment = dataclasses.replace(
            experiment,
            llama=CONFIG,
            weights=dataclasses.replace(experiment.weights, llama=str(options.directory)),
        )
        metadata = CheckpointMetadata("", dataclasses.asdict(experiment.resampler), "")
        run = write_run(experiment, Path(root) / "run", metadata)
        before, started = peak(), time.perf_counter()
        export_torch(run, options.to, llm="include")
        seconds = time.perf_counter() - started
    written = sum(path.stat().st_size for path in options.to.glob("*.safetensors"))
    held = sum(path.stat().st_size for path in options.directory.glob("*.safetensors"))
    figures = {
        "bytes of the arrays": held,
        "bytes written": written,
        "peak before": before,
        "peak": peak(),
        "peak above the arrays": peak() - held,
        "seconds": round(seconds, 1),
        "files": sorted(path.name for path in options.to.glob("*.safetensors")),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
