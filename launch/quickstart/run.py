"""The whole recipe on the rendered kitchen: `stepdiff quickstart`.

Renders, packs, trains Interleaved and StepDiff, evaluates the systems on the test split and
writes a table, `results.json` and `report.html`. Finished stages are skipped.
"""

import dataclasses
import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from launch.quickstart.stages import Stages
from stepdiff_jax.files import write_json
from stepdiff_jax.ran_on import machine, packages


@dataclass(frozen=True)
class Quickstart:
    """Size of the run; the defaults are the documented run."""

    directory: Path = Path("runs/quickstart")
    """Output directory."""
    fresh: bool = False
    """Start over: delete the directory first."""
    seeds: int = 1
    """Number of training runs of the resampler; with several, the table has means and spreads."""
    split: str = "test"
    """Evaluate on "test" (for tables only) or on "validation" (for every choice)."""
    train_videos: int = 640
    validation_videos: int = 40
    test_videos: int = 120
    partners: int = 2
    """Number of partners that each training clip is paired with."""
    interleaved_steps: int = 250
    stepdiff_steps: int = 900
    references: int = 120
    """Number of test clips to compare with four others each."""
    limit: int = 300
    """Maximum instances per task."""
    processes: int = 2
    seed: int = 0
    """Seed of the world and its questions; the resampler's seeds are 0, 1, 2, ..."""


def run(options: Quickstart) -> dict[str, Any]:
    """Run all unfinished stages; returns the contents of `results.json`."""
    console = Console(highlight=False)
    directory = options.directory
    if options.fresh and directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    stages = Stages(directory, console)
    counts = _prepare(options, stages)
    systems = _systems(options, stages)
    results = {
        "split": options.split,
        "systems": systems,
        "counts": counts,
        "seeds": list(range(options.seeds)),
        "seconds": stages.seconds,
        "versions": packages(),
        "machine": machine(),
        "options": json.loads(json.dumps(dataclasses.asdict(options), default=str)),
    }
    path = directory / "results.json"
    write_json(path, results, indent=1)

    from launch.quickstart.report import print_table, write_report

    print_table(results, console)
    report = write_report(results, directory)
    console.print(f"results: {path}\nreport:  {report}")
    return results


def _prepare(options: Quickstart, stages: Stages) -> dict[str, Any]:
    from data_prep.kitchen.world_files import make_world
    from data_prep.records.pack import pack
    from launch.quickstart.prepare import (
        decode_clips,
        encode_all_clips,
        write_benchmarks,
        write_records,
    )

    directory, seed = options.directory, options.seed
    world, records, data = directory / "world", directory / "records", directory / "data"
    videos = {
        "train": options.train_videos,
        "validation": options.validation_videos,
        "test": options.test_videos,
    }
    references = {"validation": options.references // 3, "test": options.references}

    def render() -> dict[str, int]:
        make_world(world, videos=videos, seed=seed, processes=options.processes)
        return videos

    def encode() -> dict[str, int]:
        import configs.kitchen
        from stepdiff_jax.weights.build import build_model

        experiment = configs.kitchen.interleaved()
        encoder = build_model(experiment).encoder
        with Progress(console=stages.console, transient=True) as progress:
            bar = progress.add_task("Encoding", total=counts["records"]["clips"])
            return encode_all_clips(
                encoder, experiment.encoder, data, lambda done: progress.advance(bar, done)
            )

    world_key = [videos, seed, _stand_ins_digest()]
    counts = {"videos": stages.run("render", world_key, render)}
    counts["records"] = stages.run(
        "records",
        [world_key, options.partners],
        lambda: write_records(world, records, partners=options.partners, seed=seed),
    )
    counts["benchmark"] = stages.run(
        "benchmark",
        [world_key, references, options.limit],
        lambda: write_benchmarks(
            world, directory / "benchmark", references=references, limit=options.limit, seed=seed
        ),
    )
    counts["frames"] = stages.run(
        "frames",
        [world_key, options.partners],
        lambda: decode_clips(records, processes=options.processes),
    )
    counts["packed"] = stages.run(
        "pack", [world_key, options.partners], lambda: pack(records, data)
    )
    counts["encoded"] = stages.run("encode", world_key, encode)
    return counts


def _systems(options: Quickstart, stages: Stages) -> dict[str, Any]:
    """System -> its results by seed; untrained systems have a single result."""
    systems: dict[str, Any] = {}
    data_key = [options.train_videos, options.partners, options.seed, _stand_ins_digest()]
    for seed in range(options.seeds):
        steps = {"interleaved": options.interleaved_steps, "stepdiff": options.stepdiff_steps}
        for name in steps:
            key = [data_key, options.interleaved_steps, steps[name], seed]
            stages.run(f"train {name}, seed {seed}", key, partial(_train, options, name, seed))
    evaluation_key = [
        data_key,
        options.interleaved_steps,
        options.stepdiff_steps,
        options.limit,
        options.references,
        options.split,
    ]
    for seed in range(options.seeds):
        names = ["Untrained", "Interleaved", "StepDiff"]
        if seed == 0:
            names += ["VLEmbed (InternVideo)", "Ceiling (true descriptions)"]
        measured = stages.run(
            f"evaluate {options.split}, seed {seed}",
            [evaluation_key, seed],
            partial(_evaluate, options, names, seed),
        )
        for name, result in measured.items():
            systems.setdefault(name, {})[str(seed)] = result
    return systems


def _stand_ins_digest() -> str:
    """Digest of the shipped weights, so that results from other weights are redone; the world too,
    as the weights are shipped with the code that draws it."""
    from data_prep.kitchen import stand_ins

    digest = hashlib.sha256()
    for path in sorted(stand_ins.DIRECTORY.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _experiment(options: Quickstart, name: str, seed: int) -> Any:
    import configs.kitchen

    runs = str(options.directory)
    if name == "interleaved":
        return configs.kitchen.interleaved(runs=runs, seed=seed, steps=options.interleaved_steps)
    return configs.kitchen.experiment(runs=runs, seed=seed, steps=options.stepdiff_steps)


def _train(options: Quickstart, name: str, seed: int) -> str:
    from stepdiff_jax.training.loop import train

    return str(train(_experiment(options, name, seed)))


def _evaluate(options: Quickstart, names: list[str], seed: int) -> dict[str, Any]:
    from data_prep.kitchen.oracle import read_truth
    from launch.quickstart import table
    from launch.quickstart.samples import predictions_path
    from stepdiff_jax.evaluation.system import System
    from stepdiff_jax.inference.trained import with_trained_weights
    from stepdiff_jax.weights.build import build_model, load_tokenizer

    directory, split = options.directory, options.split
    world, data = directory / "world", directory / "data"
    scenes = table.scenes_of(read_truth(world / "truth.jsonl", split))
    experiment = _experiment(options, "stepdiff", seed)
    tokenizer = load_tokenizer(experiment)
    untrained = build_model(experiment)

    def trained(run: str) -> Any:
        return with_trained_weights(
            untrained, directory / run / f"seed{seed}", experiment.trainable
        )

    systems: dict[str, Callable[[], System]] = {
        "Untrained": lambda: table.video_system(untrained, tokenizer, data, split),
        "Interleaved": lambda: table.video_system(trained("interleaved"), tokenizer, data, split),
        "StepDiff": lambda: table.video_system(trained("stepdiff"), tokenizer, data, split),
        "VLEmbed (InternVideo)": lambda: table.embedding_system(untrained, experiment, data, split),
        "Ceiling (true descriptions)": lambda: table.true_descriptions(
            untrained, tokenizer, world, split
        ),
    }
    return {
        name: table.measure(
            systems[name](),
            directory / "benchmark" / split,
            predictions_path(directory, split, name, seed),
            scenes,
        )
        for name in names
    }


if __name__ == "__main__":
    import tyro

    run(tyro.cli(Quickstart, args=sys.argv[1:]))
