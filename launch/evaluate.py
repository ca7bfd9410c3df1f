"""`stepdiff evaluate`: a system answers benchmark tasks, and its answers are scored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro import MISSING
from tyro.conf import arg

from stepdiff_jax import __version__
from stepdiff_jax.arguments import last_value, load_config, missing_values, parse_arguments
from stepdiff_jax.config import INFERENCE_MESH, Experiment
from stepdiff_jax.config_files import flatten
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.identity import experiment_fields, listing_digests
from stepdiff_jax.systems.options import SystemOptions
from stepdiff_jax.systems.registry import SYSTEMS, TRAINED, system_options

if TYPE_CHECKING:
    from stepdiff_jax.evaluation.system import ClipSource

ALL_SPLITS = "all"
"""Stands for the split in the results of an evaluation that found its clips in any split."""


@dataclass(frozen=True)
class Evaluate:
    """Answer a benchmark with a system and score the answers.

    Writes predictions/<split>/<task>.jsonl (predictions/all/<task>.jsonl without --split), a log
    samples_<task>.jsonl beside each, and results.json to the experiment's run directory, or, for
    systems other than the trained experiment, to systems/<system> in it. Started again after it was
    interrupted, it does the rest.
    """

    experiment: Annotated[Experiment, arg(name="")]
    system_options: Annotated[SystemOptions, arg(name="")]
    benchmark: Path
    """Directory with diffcap_dataset.jsonl, diffmcq_dataset.jsonl and diffrank_dataset.jsonl, or
    with another benchmark's files."""
    task: tuple[str, ...] = ("diffcap", "diffmcq", "diffrank")
    """These, or another benchmark: captaincook4d, crossvid, cvbench, viddiffbench."""
    split: str | None = None
    """Look for the benchmark's clips in this split of the packed clips only, instead of in all."""
    videos: Path | None = None
    """Directory of video files to take the clips from, instead of the packed clips."""
    clip_frames: Literal["all", "middle"] = "all"
    """"middle": show the middle frame only, as to a model of images."""
    limit: int | None = None
    """Only the first instances of each task."""
    categories: tuple[str, ...] = ()
    """Only instances of these categories."""
    save_every: int | None = None
    """Instances that are answered and saved together; by default what suits the system."""
    system: Annotated[
        str, arg(help=f"{', '.join(SYSTEMS)}; --system NAME --help lists the system's options.")
    ] = TRAINED

    @property
    def directory(self) -> Path:
        """Where everything is written."""
        directory = Path(self.experiment.loop.run_directory)
        if self.system != TRAINED:
            directory = directory / "systems" / self.system
        if self.limit is not None or self.categories:
            parts = [*self.categories, *([f"first-{self.limit}"] if self.limit else [])]
            directory = directory / "partial" / "_".join(parts).replace("/", "-").replace(" ", "")
        return directory

    @property
    def predictions(self) -> Path:
        """The directory of the predictions, by split."""
        return self.directory / "predictions" / (self.split or ALL_SPLITS)


def parse(prog: str, arguments: Sequence[str]) -> Evaluate:
    """The options of a command line; raises InputError."""
    experiment, prog, rest = load_config(prog, arguments)
    experiment = replace(experiment, mesh=INFERENCE_MESH)  # --mesh.* are those of inference
    own = system_options(last_value(rest, "--system", TRAINED))
    default = Evaluate(experiment, missing_values(own), MISSING)
    return parse_arguments(Evaluate, rest, prog=prog, default=default)


def evaluate(prog: str, arguments: Sequence[str]) -> None:
    """Evaluate an experiment, or a baseline (--system NAME): CONFIG --benchmark DIR [OPTIONS]."""
    options = parse(prog, arguments)
    from stepdiff_jax.training.processes import joined_processes

    with joined_processes():
        results = run(options)
        if results is not None:
            print(json.dumps(results["tasks"]))


def run(options: Evaluate) -> Mapping[str, Any] | None:
    """Evaluate, together with the other processes if there are any.

    Returns:
        the content of results.json; None in a process other than the first, which writes nothing.
    Raises:
        InputError: the benchmark, the data, the experiment or the system's files are missing or do
            not match; found before slow work, as far as it can be.
        Interrupted: SIGTERM or SIGINT ended it early; finished instances are saved.
    """
    import jax

    from stepdiff_jax.evaluation.results import write_results
    from stepdiff_jax.evaluation.run import choose_instances
    from stepdiff_jax.evaluation.session import Session, any_process
    from stepdiff_jax.evaluation.system import Opening
    from stepdiff_jax.evaluation.tasks import benchmark_task
    from stepdiff_jax.training.interruption import Interrupted, watch_signals
    from stepdiff_jax.training.preflight import check_output
    from stepdiff_jax.training.processes import require_agreement

    if options.videos is not None and options.split is not None:
        raise InputError("--videos and --split are mutually exclusive: a split is of packed clips")
    if options.save_every is not None and options.save_every < 1:
        raise InputError(f"--save-every must be positive, got {options.save_every}")
    tasks = [
        choose_instances(
            benchmark_task(name),
            options.benchmark,
            limit=options.limit,
            categories=options.categories,
        )
        for name in options.task
    ]
    check_output(options.directory)
    identity = _identity(options)
    # Hosts may have copies of the files, in other places and with other times of change.
    by_host = ("files", "benchmark")
    agreed = {name: value for name, value in identity.items() if name not in by_host}
    require_agreement(lambda _: flatten(agreed))
    session = Session(options.predictions, tasks, identity)
    if session.clips:
        source = clip_source(options, session.clips)
        own = options.system_options
        system = own.open(Opening(options.experiment, options.split, source, options.directory))
        seen = source if own.sees_clips else None
        with watch_signals() as signalled:
            if not session.answer(
                system, options.save_every or own.save_every, seen, lambda: any_process(signalled())
            ):
                raise Interrupted
    if jax.process_index():
        return None
    found = session.results()
    results = {
        "experiment": options.experiment.name,
        "system": {"name": options.system, **options.system_options.to_json()},
        "benchmark": str(options.benchmark),
        "split": options.split or ALL_SPLITS,
        "tasks": {task: one["metrics"] for task, one in found.items()},
        "intervals": {task: one["intervals"] for task, one in found.items()},
        "instances": {task: one["instances"] for task, one in found.items()},
        "outputs": {task: one["outputs"] for task, one in found.items() if "outputs" in one},
    }
    write_results(options.directory / "results.json", results)
    return results


def clip_source(options: Evaluate, clips: Sequence[str]) -> "ClipSource":
    """Where the frames of clips come from."""
    from stepdiff_jax.data.packed_clips import PackedClips
    from stepdiff_jax.data.video_clips import VideoClips
    from stepdiff_jax.evaluation.middle_frame import MiddleFrame

    experiment = options.experiment
    source: ClipSource
    if options.videos is None:
        source = PackedClips(experiment.data.directory, clips, options.split)
    else:
        source = VideoClips(options.videos, clips, experiment.encoder.frames)
    return MiddleFrame(source) if options.clip_frames == "middle" else source


def _identity(options: Evaluate) -> dict[str, Any]:
    """What the answers to all tasks depend on."""
    experiment = options.experiment
    read = (*options.system_options.reads(experiment), *_clip_files(options))
    return {
        "version": __version__,
        "experiment": experiment_fields(experiment),
        "system": {"name": options.system, **options.system_options.to_json()},
        "split": options.split,
        "clip_frames": options.clip_frames,
        "benchmark": str(options.benchmark.resolve()),
        "files": listing_digests(read),
    }


def _clip_files(options: Evaluate) -> list[Path]:
    """Where the clips that the system sees lie."""
    from stepdiff_jax.data.features import FEATURES_DIRECTORY
    from stepdiff_jax.data.records import dataset_path

    if not options.system_options.sees_clips:
        return []
    if options.videos is not None:
        return [options.videos]
    data = options.experiment.data
    features = [Path(data.directory) / FEATURES_DIRECTORY]
    clips = dataset_path(data.directory, "clips")
    return [clips, *(features if data.visual_input == "features" else [])]
