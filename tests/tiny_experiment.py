"""A tiny experiment on disk, through the same files and the same code as a large one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import jax
import numpy as np
from flax import nnx

from data_prep.frames.stage import write_frames
from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from data_prep.records.pack import pack
from llama3_files import TEMPLATE_3_1, write_llama3_tokenizer
from llama_files import write_directory
from references.llama import weights
from references.models import SENTENCES
from stepdiff_jax.config import (
    DataConfig,
    EncoderConfig,
    Experiment,
    LlamaConfig,
    LoopConfig,
    OptimizerConfig,
    ResamplerConfig,
    RopeScaling,
    Source,
    TextTowerConfig,
    WeightsConfig,
)
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.weights.native import save_weights

LLAMA = LlamaConfig(
    vocabulary_size=768, width=16, layers=2, heads=2, kv_heads=1, mlp_width=24, dtype="float32"
)
LLAMA_3 = replace(
    LLAMA,
    vocabulary_size=440,
    rope_theta=500_000.0,
    tied_embeddings=True,
    family="llama3",
    rope_scaling=RopeScaling("llama3", factor=32.0),
)
ENCODER = EncoderConfig(
    image_size=16,
    resized_side=16,
    patch_size=8,
    frames=8,
    width=8,
    heads=2,
    layers=1,
    mlp_width=16,
    uniblock_layers=(),
    embedding_width=8,
    text=TextTowerConfig(vocabulary_size=16, context=8, width=8, heads=2, layers=1, mlp_width=8),
    dtype="float32",
)
RESAMPLER = ResamplerConfig(layers=1, latents=4, heads=2, head_width=8, mlp_width=16)


def write_tiny_experiment(root: Path) -> Experiment:
    """Ten steps on six pairs and three narrated sequences; its run directory is to be replaced."""
    _write_weights(root)
    _write_records(root / "records")
    write_frames(root / "records/clips.jsonl", root / "records/frames.jsonl", processes=1)
    pack(root / "records", root / "data")
    return Experiment(
        name="tiny",
        encoder=ENCODER,
        llama=LLAMA,
        resampler=RESAMPLER,
        data=DataConfig(
            directory=str(root / "data"),
            mixture=(Source("pairs", 2.0), Source("sequences")),
            row_length=256,
            row_videos=4,
            row_answers=64,
            batch_rows=8,
            prefetch_threads=2,
        ),
        optimizer=OptimizerConfig(steps=10, peak_rate=1e-2, warmup_steps=2),
        weights=WeightsConfig(
            llama=str(root / "llama.safetensors"),
            encoder=str(root / "encoder.safetensors"),
            tokenizer=str(STAND_INS / "tokenizer.model"),
        ),
        loop=LoopConfig(
            run_directory=str(root / "run"), checkpoint_every=4, log_every=1, evaluate_every=5
        ),
    )


def on_llama3(experiment: Experiment, root: Path, *, seed: int = 0) -> Experiment:
    """The same with a random Llama of 3.2's kind: a directory as transformers saves it."""
    directory = write_directory(root / "llama3", LLAMA_3, weights(LLAMA_3, seed), files=2)
    texts = [*SENTENCES, "now chop, now stir", "which is redder? the first one, the second one"]
    tokenizer = write_llama3_tokenizer(
        directory, texts, vocabulary_size=LLAMA_3.vocabulary_size, template=TEMPLATE_3_1
    )
    places = {"llama": str(directory), "tokenizer": str(tokenizer)}
    return replace(experiment, llama=LLAMA_3, weights=replace(experiment.weights, **places))


def _write_weights(root: Path) -> None:
    """Random frozen weights, without compiling their initialisers."""
    rng = np.random.default_rng(0)

    def fill(leaf: Any) -> Any:
        return rng.normal(0.0, 0.2, leaf.shape).astype(leaf.dtype)

    for name, make in (
        ("llama", lambda: Llama(LLAMA, rngs=nnx.Rngs(0))),
        ("encoder", lambda: InternVideo(ENCODER, rngs=nnx.Rngs(0))),
    ):
        graph, state = nnx.split(nnx.eval_shape(make))
        save_weights(nnx.merge(graph, jax.tree.map(fill, state)), root / f"{name}.safetensors")


def _write_records(root: Path) -> None:
    root.mkdir()
    tables: dict[str, list[dict[str, Any]]] = {"clips": [], "pairs": [], "sequences": []}
    for split, count in (("train", 4), ("validation", 2)):
        for number in range(count):
            name = f"{split}{number}"
            _write_video(root / f"{name}.mp4", seed=number)
            tables["clips"].append(
                {
                    "clip": f"{name}_0_1",
                    "video": f"{name}.mp4",
                    "start": 0.0,
                    "end": 1.0,
                    "keystep": "chop",
                    "activity": "soup",
                    "narration": "now chop",
                    "split": split,
                }
            )
        for number in range(count - 1):
            first, second = f"{split}{number}_0_1", f"{split}{number + 1}_0_1"
            questions = [
                {"question": "which is redder?", "answer": f"the {word} one", "weight": weight}
                for word, weight in (("first", 1.0), ("second", 0.5))
            ]
            for reference, candidate in ((first, second), (second, first)):
                tables["pairs"].append(
                    {
                        "reference": reference,
                        "candidate": candidate,
                        "questions": questions,
                        "split": split,
                    }
                )
            tables["sequences"].append(
                {"clips": [first, second], "narrations": ["now chop", "now stir"], "split": split}
            )
    for name, rows in tables.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (root / f"{name}.jsonl").write_text(text)


def _write_video(path: Path, seed: int) -> None:
    """One second of coloured noise, 32 x 32 at 8 frames a second."""
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8, options={"preset": "ultrafast"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(10):
            image = rng.integers(0, 255, (32, 32, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
