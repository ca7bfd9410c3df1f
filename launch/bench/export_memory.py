"""Peak memory of exporting a run with a synthetic 5 GB bfloat16 Llama; prints one JSON line.

    python -m launch.bench.export_memory --directory LLAMA --to EXPORTED

The Llama is that of `launch.bench.loading_memory`, written if missing; the encoder is the
kitchen's, and the trained weights are random.
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
        # In a separate process, so that this one's peak is that of the export.
        program = (
            "import sys; from pathlib import Path; from launch.bench.loading_memory import write;"
            "write(Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", program, options.directory], check=True)

    from stepdiff_jax.weights.export.torch_export import export_torch

    with tempfile.TemporaryDirectory() as root:
        run = write_run(options.directory, Path(root) / "run")
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


def write_run(llama: Path, run: Path) -> Path:
    """Write a run directory of the kitchen's experiment with the large Llama, as if trained."""
    import numpy as np
    from flax import nnx

    from configs import kitchen
    from stepdiff_jax.checkpoint import CheckpointMetadata, TrainedWeights, write_trained
    from stepdiff_jax.config_files import CONFIG_FILE, to_dict
    from stepdiff_jax.models.resampler import Resampler
    from stepdiff_jax.weights.load import named_leaves

    experiment = kitchen.experiment()
    run.mkdir(parents=True)
    tokenizer = write_tokenizer(run / "tokenizer.json", CONFIG.vocabulary_size)
    weights = dataclasses.replace(experiment.weights, llama=str(llama), tokenizer=str(tokenizer))
    experiment = dataclasses.replace(experiment, llama=CONFIG, weights=weights)
    shapes = nnx.eval_shape(
        lambda: Resampler(
            experiment.resampler,
            input_width=experiment.encoder.width,
            output_width=CONFIG.width,
            frames=experiment.encoder.frames,
            rngs=nnx.Rngs(0),
        )
    )
    random = np.random.default_rng(0)
    arrays = {
        f"resampler.{name}": random.normal(0, 0.02, leaf.shape).astype(leaf.dtype)
        for name, leaf in named_leaves(nnx.state(shapes)).items()
    }
    (run / CONFIG_FILE).write_text(json.dumps(to_dict(experiment)))
    metadata = CheckpointMetadata("", dataclasses.asdict(experiment.resampler), "")
    write_trained(run, TrainedWeights(1, metadata, arrays))
    return run


def write_tokenizer(path: Path, size: int) -> Path:
    """Write a dummy tokenizer with the Llama's vocabulary size."""
    from tokenizers import Tokenizer, models

    names = ["<unk>", "<s>", "</s>", *map(str, range(size - 3))]
    vocabulary = {name: number for number, name in enumerate(names)}
    Tokenizer(models.BPE(vocabulary, [])).save(str(path))
    return path


if __name__ == "__main__":
    main()
