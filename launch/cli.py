"""The `stepdiff` command: one thin function a subcommand.

What is heavy is imported inside the functions, so that `--help` answers at once.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro import MISSING
from tyro.conf import Positional, arg

from stepdiff_jax.arguments import (
    Command,
    choose_command,
    last_value,
    load_config,
    missing_values,
    parse_arguments,
)
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.exit_codes import BAD_INPUT, FAILED, INTERRUPTED
from stepdiff_jax.files import write_json
from stepdiff_jax.systems.options import SystemOptions
from stepdiff_jax.systems.registry import SYSTEMS, TRAINED, system_options

Task = Literal["diffcap", "diffmcq", "diffrank"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `stepdiff`; returns the exit code: 0, 2 on bad input, 130 when interrupted."""
    try:
        choose_command(COMMANDS, "stepdiff", sys.argv[1:] if arguments is None else arguments)
    except InputError as error:
        print("stepdiff: error:", *str(error).splitlines(), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("stepdiff: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`). Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return 0


def quickstart(prog: str, arguments: Sequence[str]) -> None:
    """Render the kitchen world, train on it and evaluate: the whole path in minutes."""
    from launch.quickstart.run import Quickstart, run

    run(parse_arguments(Quickstart, arguments, prog=prog))


@dataclass(frozen=True)
class Train:
    """Train an experiment, or go on with it where it stopped."""

    experiment: Annotated[Experiment, arg(name="")]
    compiled: Path | None = None
    """A step that `stepdiff aot --save` wrote for these devices."""
    profile: str | None = None
    """START:STOP: trace these steps for XProf into the run directory."""
    allow_other_frozen_weights: bool = False
    """Take trained weights that were trained with other frozen weights."""


def train(prog: str, arguments: Sequence[str]) -> None:
    """Train an experiment: CONFIG [--field.sub value ...]; goes on where it stopped."""
    experiment, prog, rest = load_config(prog, arguments)
    options = parse_arguments(Train, rest, prog=prog, default=Train(experiment))
    from stepdiff_jax.training.loop import train
    from stepdiff_jax.training.processes import joined_processes
    from stepdiff_jax.training.profile import parse_profile

    profile = None if options.profile is None else parse_profile(options.profile)
    with joined_processes():
        run_directory = train(
            options.experiment,
            compiled=options.compiled,
            profile=profile,
            allow_other_frozen_weights=options.allow_other_frozen_weights,
        )
        print(run_directory)


@dataclass(frozen=True)
class Aot:
    """Compile an experiment's training step for a slice of TPUs that need not be there."""

    experiment: Annotated[Experiment, arg(name="")]
    topology: str | None = None
    """GENERATION:SHAPE, such as v5p:4x4x4, v5e:4x4 or v6e:4x4."""
    search: str | None = None
    """Instead: a generation, whose smallest slice and largest batch that fit are looked for."""
    json: bool = False
    """Print one JSON object."""
    save: Path | None = None
    """Write the compiled executable here."""


def aot(prog: str, arguments: Sequence[str]) -> None:
    """Say before queueing whether an experiment fits: CONFIG --topology v5p:4x4x4."""
    experiment, prog, rest = load_config(prog, arguments)
    options = parse_arguments(Aot, rest, prog=prog, default=Aot(experiment))
    from stepdiff_jax.aot.run import run

    found = run(
        options.experiment, topology=options.topology, search=options.search, save=options.save
    )
    print(json.dumps(found.to_json()) if options.json else found.describe())


@dataclass(frozen=True)
class Evaluate:
    """Answer the benchmark with a system, and score the answers.

    Writes predictions/<split>/<task>.jsonl and results.json into the experiment's run directory; of
    another system than the trained experiment into systems/<system> there.
    """

    experiment: Annotated[Experiment, arg(name="")]
    system_options: Annotated[SystemOptions, arg(name="")]
    benchmark: Path
    """Directory of diffcap_dataset.jsonl, diffmcq_dataset.jsonl and diffrank_dataset.jsonl."""
    task: tuple[Task, ...] = ("diffcap", "diffmcq", "diffrank")
    split: str = "test"
    """The split of the packed clips that the benchmark asks about."""
    system: Annotated[
        str, arg(help=f"{', '.join(SYSTEMS)}; --system NAME --help lists its own options.")
    ] = TRAINED


def evaluate(prog: str, arguments: Sequence[str]) -> None:
    """Evaluate an experiment, or a baseline (--system NAME): CONFIG --benchmark DIR [OPTIONS]."""
    experiment, prog, rest = load_config(prog, arguments)
    own = system_options(last_value(rest, "--system", TRAINED))
    default = Evaluate(experiment, missing_values(own), MISSING)
    options = parse_arguments(Evaluate, rest, prog=prog, default=default)
    from stepdiff_jax.evaluation.results import write_results
    from stepdiff_jax.evaluation.run import asked_clips, evaluate

    clips = asked_clips(options.benchmark, options.task)  # before minutes of encoding
    system = options.system_options.open(options.experiment, options.split, clips)
    directory = Path(options.experiment.loop.run_directory)
    if options.system != TRAINED:
        directory = directory / "systems" / options.system
    predictions = directory / "predictions" / options.split
    metrics = evaluate(system, options.benchmark, predictions, options.task)
    results = {
        "experiment": options.experiment.name,
        "system": {"name": options.system, **options.system_options.to_json()},
        "benchmark": str(options.benchmark),
        "split": options.split,
        "tasks": metrics,
    }
    write_results(directory / "results.json", results)
    print(json.dumps(metrics))


@dataclass(frozen=True)
class Weights:
    """Check an experiment's weights from their headers, and print what goes where."""

    experiment: Annotated[Experiment, arg(name="")]
    report: Path | None = None
    """Write the table here, as JSON."""


def weights(prog: str, arguments: Sequence[str]) -> None:
    """Check an experiment's weights before queueing: CONFIG [--report FILE]."""
    experiment, prog, rest = load_config(prog, arguments)
    options = parse_arguments(Weights, rest, prog=prog, default=Weights(experiment))
    from stepdiff_jax.weights.build import load_tokenizer, weight_reports

    load_tokenizer(options.experiment)
    reports = weight_reports(options.experiment)
    for found in reports.values():
        print(found.describe())
    if options.report is not None:
        table = {name: found.to_json() for name, found in reports.items()}
        write_json(options.report, table, indent=1)


@dataclass(frozen=True)
class Score:
    """Official metrics of predictions, as one JSON object on standard output."""

    task: Task
    ground_truth: Path
    """The benchmark file, JSON Lines."""
    predictions: Path
    """One line for each of its lines: {"generated_text": str} or {"scores": [float x4]}."""


def score(prog: str, arguments: Sequence[str]) -> None:
    """Print the official metrics of a prediction file as JSON."""
    options = parse_arguments(Score, arguments, prog=prog)
    from stepdiff_jax.evaluation.scoring import score_files

    print(json.dumps(score_files(options.task, options.ground_truth, options.predictions)))


@dataclass(frozen=True)
class Compare:
    """What differs between two videos, in a model's words; a line for each category by default.

    A video is a file, or a span of one in seconds: path@start-end.
    """

    reference: Annotated[Positional[str], arg(metavar="REFERENCE")]
    candidate: Annotated[Positional[str], arg(metavar="CANDIDATE")]
    model: Path
    """A run directory with trained weights."""
    question: str | None = None
    """Ask this instead."""
    category: str | None = None
    """Tell the main difference in this category only."""
    allow_other_frozen_weights: bool = False
    """Take trained weights that were trained with other frozen weights."""


def compare(prog: str, arguments: Sequence[str]) -> None:
    """Tell how the second video differs from the first, or answer a question about both."""
    options = parse_arguments(Compare, arguments, prog=prog)
    if options.question is not None and options.category is not None:
        raise InputError("--question and --category exclude each other")
    from stepdiff_jax import StepDiff
    from stepdiff_jax.data.prompts import difference_question

    model = StepDiff.load(
        options.model, allow_other_frozen_weights=options.allow_other_frozen_weights
    )
    question = options.question
    if options.category is not None:
        question = difference_question(options.category)
    if question is not None:
        print(model.compare(options.reference, options.candidate, question=question))
        return
    for category, answer in model.differences(options.reference, options.candidate).items():
        print(f"{category}: {answer}")


@dataclass(frozen=True)
class Rank:
    """Videos by how likely they show the same as the reference in one category, likeliest first.

    A video is a file, or a span of one in seconds: path@start-end.
    """

    reference: Annotated[Positional[str], arg(metavar="REFERENCE")]
    candidates: Annotated[Positional[tuple[str, ...]], arg(metavar="CANDIDATE...")]
    category: str
    model: Path
    """A run directory with trained weights."""
    allow_other_frozen_weights: bool = False
    """Take trained weights that were trained with other frozen weights."""


def rank(prog: str, arguments: Sequence[str]) -> None:
    """Rank videos by how much they agree with the first one in a category."""
    options = parse_arguments(Rank, arguments, prog=prog)
    if not options.candidates:
        raise InputError(f"CANDIDATE is missing (see {prog} --help)")
    from stepdiff_jax import StepDiff

    model = StepDiff.load(
        options.model, allow_other_frozen_weights=options.allow_other_frozen_weights
    )
    for candidate, likelihood in model.rank(
        options.reference, options.candidates, category=options.category
    ):
        print(f"{likelihood:.4f} {candidate}")


def prep(prog: str, arguments: Sequence[str]) -> None:
    """Prepare data, stage by stage: annotations and videos -> datasets."""
    from data_prep.cli.prep import STAGES

    choose_command(STAGES, prog, arguments)


def bench(prog: str, arguments: Sequence[str]) -> None:
    """What preparing data costs: frames, pairs and records a second, tokens a call."""
    from data_prep.cli.bench import BENCHES

    choose_command(BENCHES, prog, arguments)


def convert(prog: str, arguments: Sequence[str]) -> None:
    """Weights in and out: Llama-2, InternVideo and CLIP in, PyTorch out."""
    from launch.convert import CONVERSIONS

    choose_command(CONVERSIONS, prog, arguments)


COMMANDS: dict[str, Command] = {
    "quickstart": quickstart,
    "train": train,
    "evaluate": evaluate,
    "aot": aot,
    "score": score,
    "weights": weights,
    "convert": convert,
    "compare": compare,
    "rank": rank,
    "prep": prep,
    "bench": bench,
}
