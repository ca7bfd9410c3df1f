"""Manual check of InternVideo and CLIP in full size (L/14) with random weights.

    python -m launch.bench.internvideo_full_size --directory DIR \\
        [--tensors tests/fixtures/internvideo/iv_l14_keys.tsv]

Writes a Lightning checkpoint (with the tensors in a list of names and shapes, by default those that
the encoder reads), converts it with `stepdiff convert internvideo` and runs the result; then does
the same for transformers' CLIPModel and compares tokens and features. Needs the extra [torch] and
GNU time. Prints times and the peak memory of each process.
"""

import argparse
import ast
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--tensors", type=Path, help="lines of NAME, tab, SHAPE")
    parser.add_argument("--part", choices=["write", "internvideo", "clip"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "write":
        write(options.directory, options.tensors)
        return
    if options.part is not None:
        PARTS[options.part](options.directory)
        return
    options.directory.mkdir(parents=True, exist_ok=True)
    here = options.directory
    part = [sys.executable, "-m", "launch.bench.internvideo_full_size", "--directory", here]
    listed = [] if options.tensors is None else ["--tensors", options.tensors]
    run("write", [*part, *listed, "--part", "write"])
    convert = [sys.executable, "-m", "launch", "convert"]
    run("convert internvideo", [*convert, "internvideo", here / "iv.ckpt", "--to", here / "iv"])
    run("convert clip", [*convert, "clip", here / "clip", "--to", here / "clip-encoder"])
    for name in PARTS:
        run(name, [*part, "--part", name])


def run(name: str, command: list) -> None:
    """Run a command under GNU time and print its time and peak memory."""
    words = ["/usr/bin/time", "-f", f"{name}: %e s, peak %M KiB", *map(str, command)]
    subprocess.run(words, check=True)


def shapes_of(tensors: Path | None) -> dict[str, tuple[int, ...]]:
    """Names and shapes of tensors: of a list, or those that the L/14 encoder reads."""
    if tensors is not None:
        lines = (line.split("\t") for line in tensors.read_text().splitlines())
        return {name: ast.literal_eval(shape) for name, shape in lines}
    from stepdiff_jax.config import EncoderConfig
    from stepdiff_jax.weights.published.internvideo_names import INTERNVIDEO, source_table

    table = source_table(EncoderConfig(), INTERNVIDEO).values()
    return {
        one.key: one.shape
        for sources in table
        for one in (sources if isinstance(sources, list) else [sources])
    }


def write(directory: Path, tensors: Path | None) -> None:
    """Write the checkpoint and a transformers CLIPModel with random weights."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    state = {f"clip.{key}": torch.randn(shape) * 0.02 for key, shape in shapes_of(tensors).items()}
    torch.save({"state_dict": state}, directory / "iv.ckpt")
    config = CLIPConfig(
        projection_dim=768,
        vision_config={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "image_size": 224,
            "patch_size": 14,
        },
        text_config={
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
        },
    )
    CLIPModel(config).save_pretrained(directory / "clip")


def encoded(directory: Path, config) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and feature of a random 8-frame clip; prints the time of the second run."""
    import jax

    from stepdiff_jax.models.internvideo import InternVideo
    from stepdiff_jax.weights.modules import load_encoder

    encoder = load_encoder(config, directory)
    encode = jax.jit(InternVideo.tokens_and_feature)
    jax.block_until_ready(encode(encoder, VIDEO))
    started = time.perf_counter()
    tokens, feature = jax.block_until_ready(encode(encoder, VIDEO))
    print(f"tokens {tokens.shape}, feature {feature.shape}: {time.perf_counter() - started:.1f} s")
    return np.asarray(tokens), np.asarray(feature)


VIDEO = np.random.default_rng(0).normal(size=(1, 8, 224, 224, 3)).astype(np.float32)


def internvideo(directory: Path) -> None:
    from stepdiff_jax.config import EncoderConfig

    tokens, feature = encoded(directory / "iv", EncoderConfig(dtype="float32"))
    assert np.isfinite(tokens).all() and np.isfinite(feature).all()


def clip(directory: Path) -> None:
    import torch
    from transformers import CLIPModel

    from stepdiff_jax.config import EncoderConfig

    config = EncoderConfig(uniblock_layers=(), dtype="float32")
    tokens, feature = encoded(directory / "clip-encoder", config)
    model = CLIPModel.from_pretrained(directory / "clip").eval()
    pixels = torch.from_numpy(VIDEO[0].transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        theirs = model.vision_model(pixels)
        wanted = theirs.last_hidden_state[:, 1:].flatten(0, 1).numpy()
        # A video's feature: the mean of its frames' class tokens, then norm and projection.
        pooled = model.vision_model.post_layernorm(theirs.last_hidden_state[:, 0].mean(0))
        projected = model.visual_projection(pooled).numpy()
    print(f"tokens {np.abs(tokens[0] - wanted).max():.1e} apart of {np.abs(wanted).max():.1f}")
    print(
        f"feature {np.abs(feature[0] - projected).max():.1e} apart of {np.abs(projected).max():.2f}"
    )


PARTS = {"internvideo": internvideo, "clip": clip}

if __name__ == "__main__":
    main()
