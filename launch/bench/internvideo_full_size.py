"""InternVideo and CLIP at the shapes of L/14, random weights, once by hand.

    PYTHONPATH=tests python launch/bench/internvideo_full_size.py --directory /tmp/l14

Writes a Lightning checkpoint of every published tensor, rewrites it with `stepdiff convert
internvideo` and runs the result; then the same for transformers' CLIPModel, whose tokens and
features are compared. Prints times, and the peak memory of each process.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--part", choices=["write", "internvideo", "clip"])
    options = parser.parse_args()
    if options.part is not None:
        PARTS[options.part](options.directory)
        return
    options.directory.mkdir(parents=True, exist_ok=True)
    here = options.directory
    run("write", [sys.executable, __file__, "--directory", here, "--part", "write"])
    convert = [sys.executable, "-m", "launch", "convert"]
    run("convert internvideo", [*convert, "internvideo", here / "iv.ckpt", "--to", here / "iv"])
    run("convert clip", [*convert, "clip", here / "clip", "--to", here / "clip-encoder"])
    for part in ("internvideo", "clip"):
        run(part, [sys.executable, __file__, "--directory", here, "--part", part])


def run(name: str, command: list) -> None:
    """Run a command under GNU time and print what it took."""
    words = ["/usr/bin/time", "-f", f"{name}: %e s, peak %M KiB", *map(str, command)]
    subprocess.run(words, check=True)


def write(directory: Path) -> None:
    import torch
    from transformers import CLIPConfig, CLIPModel

    from references.internvideo import published_shapes

    torch.manual_seed(0)
    state = {
        f"clip.{key}": torch.randn(shape) * 0.02
        for key, shape in published_shapes("iv_l14_keys").items()
    }
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
    """Tokens and feature of one random clip of 8 frames, and the time of the second run."""
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
        # Of a video: the mean of its frames' class tokens, then the norm and the projection.
        pooled = model.vision_model.post_layernorm(theirs.last_hidden_state[:, 0].mean(0))
        projected = model.visual_projection(pooled).numpy()
    print(f"tokens {np.abs(tokens[0] - wanted).max():.1e} apart of {np.abs(wanted).max():.1f}")
    print(
        f"feature {np.abs(feature[0] - projected).max():.1e} apart of {np.abs(projected).max():.2f}"
    )


PARTS = {"write": write, "internvideo": internvideo, "clip": clip}

if __name__ == "__main__":
    main()
