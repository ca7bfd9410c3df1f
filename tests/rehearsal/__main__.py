"""Walks the paper's path, and prints a table of its steps:

    make rehearsal [HTSTEP=DIR] [BENCHMARK=FILE] [TOKENIZER=FILE]

HTSTEP is a directory with HT-Step's annotations, BENCHMARK a released diffrank_dataset.jsonl and
TOKENIZER Llama's tokenizer.model; what is not given is made up.
"""

import argparse
import shutil
import sys
from pathlib import Path

from data_prep.benchmark.write import write_benchmark
from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from stepdiff_jax.data.tokenizer import Tokenizer
from tests.rehearsal import data_steps, model_steps
from tests.rehearsal.published import htstep, real, weights
from tests.rehearsal.published.htstep import Published
from tests.rehearsal.walk import Failed, Walk

PUBLISHED = Path("published")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rehearsal", description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, default=Path("runs/rehearsal"))
    parser.add_argument("--htstep", type=Path, help="instead of made-up annotations")
    parser.add_argument("--benchmark", type=Path, help="instead of made-up benchmark files")
    parser.add_argument("--tokenizer", type=Path, help="instead of the kitchen's tokenizer.model")
    options = parser.parse_args()
    shutil.rmtree(options.directory, ignore_errors=True)
    options.directory.mkdir(parents=True)
    walk = Walk(options.directory)
    try:
        rehearse(walk, options.htstep, options.benchmark, options.tokenizer)
    except Failed as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        return 1
    finally:
        walk.table()
    return 0


def rehearse(
    walk: Walk, annotations: Path | None, benchmark: Path | None, tokenizer: Path | None
) -> None:
    """Write the published files, and take every step."""
    published = publish(walk.directory, annotations, benchmark, tokenizer)
    root = walk.directory
    size = Tokenizer(root / published.tokenizer).vocabulary_size
    llama = weights.write_llama_cache(root / PUBLISHED / "hub", root / published.tokenizer, size)
    llama = llama.relative_to(root)
    checkpoint = weights.write_internvideo(root / PUBLISHED / "InternVideo-MM-L-14.ckpt")
    clip = weights.write_clip(root / PUBLISHED / "clip-vit-large-patch14")

    data_steps.prepare(walk, published)
    data_steps.prepare_benchmark(walk, published)
    model_steps.convert_weights(walk, checkpoint.relative_to(root), clip.relative_to(root))
    for encoder in (model_steps.ENCODER, model_steps.CLIP):
        weights.write_clip_tokenizer(root / encoder / "tokenizer.json")
    flags = model_steps.smaller(llama, size)
    if annotations is not None:  # a part of HT-Step may lack the split for training
        flags = (*flags, "--data.split", "val_seen")
    walk.run("weights", "weights", "stepdiff_7b", *flags, check=model_steps.last_line)
    model_steps.train(walk, "interleaved_7b", model_steps.INTERLEAVED, flags)
    initial = ("--weights.initial-run", model_steps.INTERLEAVED)
    model_steps.train(walk, "stepdiff_7b", model_steps.STEPDIFF, (*flags, *initial))
    own_clips = annotations is None and benchmark is None
    model_steps.evaluate(walk, published, flags, own_clips)
    videos = sorted((root / published.videos).iterdir())[:3]
    model_steps.use(walk, [path.relative_to(root) for path in videos])


def publish(
    root: Path, annotations: Path | None, benchmark: Path | None, tokenizer: Path | None
) -> Published:
    """Write the published files, or take the real ones; paths are relative to `root`."""
    names = Published(
        htstep=PUBLISHED / "htstep",
        videos=PUBLISHED / "videos",
        captions=PUBLISHED / "howto100m" / "raw_caption.json",
        benchmark=PUBLISHED / "stepdiff",
        tokenizer=PUBLISHED / "tokenizer.model",
    )
    planned = htstep.plans()
    (root / PUBLISHED).mkdir()
    shutil.copy(tokenizer or STAND_INS / "tokenizer.model", root / names.tokenizer)
    spans: real.Spans = {}
    durations: dict[str, float] = {}
    if annotations is None:
        htstep.write_annotations(root / names.htstep, planned)
        captions = htstep.captions_of(planned)
        counts = htstep.write_videos(root / names.videos, planned)
        print(f"made up: {sum(counts.values())} videos {counts}")
    else:
        shutil.copytree(annotations, root / names.htstep)
        spans, durations = real.annotated_spans(annotations / "annotations.json")
        captions = real.made_up_captions(spans)
    htstep.write_captions(root / names.captions.parent, captions)
    if benchmark is None:
        write_benchmark(htstep.differences(planned), root / names.benchmark, limit=40, seed=0)
        if annotations is not None:
            htstep.write_videos(root / names.videos, planned)
    else:
        (root / names.benchmark).mkdir()
        shutil.copy(benchmark, root / names.benchmark)
        spans = real.merged(spans, real.benchmark_spans(benchmark))
    if spans:
        count = real.write_made_up_videos(root / names.videos, spans, durations)
        print(f"made up: {count} videos of the real annotations and benchmark")
    return names


if __name__ == "__main__":
    sys.exit(main())
