"""Peak memory of loading a synthetic 5 GB bfloat16 Llama; prints one JSON line per process.

    python -m launch.bench.loading_memory --directory DIR [--processes 2] [--quantization int8]

Writes the checkpoint first, in 8 safetensors files. A single process has 8 virtual devices, two
have 4 each; the weights are sharded over all 8. The peak of each process includes the interpreter,
JAX and the loader's buffers.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from stepdiff_jax.config import LlamaConfig, MeshConfig
from stepdiff_jax.families.common.llama_tensors import checkpoint_tensors
from stepdiff_jax.weights.tensor_files import INDEX

CONFIG = LlamaConfig(width=4096, layers=11, heads=32, kv_heads=32, mlp_width=11008)
FILES, DEVICES = 8, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--quantization", default="")
    parser.add_argument("--process", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.process is not None:
        load(options)
        return
    if not (options.directory / INDEX).exists():
        write(options.directory)
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={DEVICES // options.processes}",
    }
    command = [sys.executable, "-m", "launch.bench.loading_memory", *sys.argv[1:]]
    children = [
        subprocess.Popen(
            [*command, "--process", str(process), "--address", address],
            env=environment,
        )
        for process in range(options.processes)
    ]
    codes = [child.wait() for child in children]
    raise SystemExit(max(codes))


def write(directory: Path) -> None:
    """Write a checkpoint of `CONFIG` in `FILES` files, with repeating values."""
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0).normal(0, 0.02, 1 << 20).astype(ml_dtypes.bfloat16)
    tensors = sorted(
        checkpoint_tensors(CONFIG), key=lambda tensor: (tensor.layer or 0, tensor.name)
    )
    table: dict[str, str] = {}
    share = -(-len(tensors) // FILES)
    for number in range(FILES):
        name = f"model-{number + 1:05}-of-{FILES:05}.safetensors"
        part = tensors[number * share : (number + 1) * share]
        save_file({one.name: np.resize(random, one.shape) for one in part}, directory / name)
        table |= {one.name: name for one in part}
    (directory / INDEX).write_text(json.dumps({"weight_map": table}))
    (directory / "config.json").write_text(
        json.dumps(
            {
                "model_type": "llama",
                "vocab_size": CONFIG.vocabulary_size,
                "hidden_size": CONFIG.width,
                "num_hidden_layers": CONFIG.layers,
                "num_attention_heads": CONFIG.heads,
                "intermediate_size": CONFIG.mlp_width,
                "rms_norm_eps": CONFIG.norm_epsilon,
            }
        )
    )


def load(options: argparse.Namespace) -> None:
    """Load the weights in one process and print its measurements."""
    import jax
    from flax import nnx

    from stepdiff_jax.sharding import make_mesh
    from stepdiff_jax.weights.modules import load_llama

    if options.processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(options.address, options.processes, options.process)
    config = replace(CONFIG, quantization=options.quantization)
    mesh = make_mesh(MeshConfig(fsdp=DEVICES))
    before = peak()
    started = time.perf_counter()
    model = jax.block_until_ready(nnx.state(load_llama(config, options.directory, mesh)))
    seconds = time.perf_counter() - started
    files = sum(path.stat().st_size for path in options.directory.glob("*.safetensors"))
    held = sum(
        shard.data.nbytes for array in jax.tree.leaves(model) for shard in array.addressable_shards
    )
    figures = {
        "process": options.process,
        "bytes of the files": files,
        "bytes held": held,
        "peak before loading": before,
        "peak": peak(),
        "peak over files": round(peak() / files, 3),
        "seconds": round(seconds, 1),
    }
    print(json.dumps(figures), flush=True)


def peak() -> int:
    """Peak resident memory of this process in bytes."""
    # Not getrusage, as its peak is inherited from the parent process.
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
