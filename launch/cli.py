"""The `stepdiff` command: one thin function per subcommand.

Heavy modules are imported inside the functions, so that `--help` is fast.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from launch.ask.command import ask
from launch.evaluate import evaluate
from launch.printing import print_any_name
from launch.tables.table1 import table1
from launch.tables.table2 import table2
from stepdiff_jax import __version__
from stepdiff_jax.arguments import (
    Command,
    choose_command,
    load_config,
    parse_arguments,
)
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.exit_codes import BAD_INPUT, FAILED, INTERRUPTED, SAVED
from stepdiff_jax.files import write_json
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.outside import one_line_errors

Task = Literal["diffcap", "diffmcq", "diffrank"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `stepdiff`; returns the exit code.

    0, 2 on invalid input, 75 when a server or a disk fails, 130 when interrupted.
    """
    print_any_name()
    try:
        with one_line_errors():
            words = sys.argv[1:] if arguments is None else arguments
            if tuple(words) == ("--version",):
                print(f"stepdiff {__version__}")
            else:
                choose_command(COMMANDS, "stepdiff", words)
    except (InputError, OutsideFailure) as error:
        print("stepdiff: error:", *str(error).splitlines(), file=sys.stderr)
        return BAD_INPUT if isinstance(error, InputError) else SAVED
    except KeyboardInterrupt:
        print("stepdiff: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`). Keeps Python from complaining again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return 0


def quickstart(prog: str, arguments: Sequence[str]) -> None:
    """Render the kitchen world, train on it and evaluate: the whole recipe in minutes."""
    from launch.quickstart.run import Quickstart, run

    run(parse_arguments(Quickstart, arguments, prog=prog))


@dataclass(frozen=True)
class Train:
    """Train an experiment, or resume it."""

    experiment: Annotated[Experiment, arg(name="")]
    compiled: Path | None = None
    """A compiled step from `stepdiff aot --save` for these devices."""
    profile: str | None = None
    """START:STOP: write an XProf trace of these steps to the run directory."""
    allow_other_frozen_weights: bool = False
    """Accept a checkpoint trained with different frozen weights."""
    more_steps: bool = False
    """Train a run for more steps than it was started with; the learning rate then follows the
    curve of the larger optimizer.steps."""


def train(prog: str, arguments: Sequence[str]) -> None:
    """Train or resume an experiment: CONFIG [--field.sub value ...]."""
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
            more_steps=options.more_steps,
        )
        print(run_directory)


@dataclass(frozen=True)
class Aot:
    """Compile a program of an experiment for a TPU slice, which need not be present."""

    experiment: Annotated[Experiment, arg(name="")]
    program: Literal["train", "encode", "score", "prefill", "generate"] = "train"
    """The training step, or a part of inference: clips to latents, likelihoods of answers, reading
    rows that generate, the loop that generates (counted by the token)."""
    batch: BatchShape = field(default_factory=BatchShape)
    """Of a part of inference; the training step's is data.*."""
    topology: str | None = None
    """GENERATION:SHAPE, such as v5p:4x4x4, v5e:4x4 or v6e:4x4."""
    search: str | None = None
    """Instead of --topology: find the smallest slice and largest batch that fit a GENERATION."""
    json: bool = False
    """Print one JSON object."""
    save: Path | None = None
    """Write the compiled executable to this file."""


def aot(prog: str, arguments: Sequence[str]) -> None:
    """Check before queueing whether an experiment fits: CONFIG --topology v5p:4x4x4."""
    experiment, prog, rest = load_config(prog, arguments)
    options = parse_arguments(Aot, rest, prog=prog, default=Aot(experiment))
    from stepdiff_jax.aot.run import run

    found = run(
        options.experiment,
        topology=options.topology,
        search=options.search,
        save=options.save,
        program=options.program,
        shape=options.batch,
    )
    print(json.dumps(found.to_json()) if options.json else found.describe())


@dataclass(frozen=True)
class Weights:
    """Check an experiment's weights by their headers, and print how they map to the model."""

    experiment: Annotated[Experiment, arg(name="")]
    report: Path | None = None
    """Write the table to this file as JSON."""


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
    """Print the official metrics of predictions as one JSON object."""

    task: Task
    ground_truth: Path
    """The benchmark file, JSON Lines."""
    predictions: Path
    """One line per benchmark line: {"generated_text": str} or {"scores": [float x4]}."""
    intervals: bool = False
    """Add 95 % bootstrap intervals of every metric, overall and by category."""
    against: Path | None = None
    """Another system's predictions: add how much better these are, on the same instances."""


def score(prog: str, arguments: Sequence[str]) -> None:
    """Print the official metrics of a prediction file as JSON."""
    options = parse_arguments(Score, arguments, prog=prog)
    from stepdiff_jax.evaluation.intervals import intervals, paired_comparison
    from stepdiff_jax.evaluation.scoring import read_scored, score_examples

    task = options.task
    examples, predictions = read_scored(task, options.ground_truth, options.predictions)
    against = options.against
    others = None if against is None else read_scored(task, options.ground_truth, against)[1]
    report = {"task": task, **score_examples(task, examples, predictions)}
    if options.intervals:
        report["intervals"] = intervals(task, examples, predictions)
    if others is not None:
        report["against"] = paired_comparison(task, examples, predictions, others)
    print(json.dumps(report))


@dataclass(frozen=True)
class Compare:
    """Describe the differences between two videos, by default one line per category.

    A video is a file, or part of one in seconds from its start: path@start-end. The end may be at
    most a second after the video's.
    """

    reference: Annotated[Positional[str], arg(metavar="REFERENCE")]
    candidate: Annotated[Positional[str], arg(metavar="CANDIDATE")]
    model: Path
    """A run directory with trained weights."""
    question: str | None = None
    """Ask this question instead."""
    category: str | None = None
    """Only describe the main difference in this category."""
    allow_other_frozen_weights: bool = False
    """Accept a checkpoint trained with different frozen weights."""


def compare(prog: str, arguments: Sequence[str]) -> None:
    """Describe how the second video differs from the first, or answer a question about both."""
    options = parse_arguments(Compare, arguments, prog=prog)
    if options.question is not None and options.category is not None:
        raise InputError("--question and --category are mutually exclusive")
    from stepdiff_jax import StepDiff
    from stepdiff_jax.config_files import read_experiment
    from stepdiff_jax.data.prompts import difference_question
    from stepdiff_jax.data.video_span import check_videos

    read_experiment(options.model)
    check_videos([options.reference, options.candidate])  # loading a model may take minutes
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
    """Rank videos by how likely they show the same as the reference in a category.

    A video is a file, or part of one in seconds from its start: path@start-end. The end may be at
    most a second after the video's.
    """

    reference: Annotated[Positional[str], arg(metavar="REFERENCE")]
    candidates: Annotated[Positional[tuple[str, ...]], arg(metavar="CANDIDATE...")]
    category: str
    model: Path
    """A run directory with trained weights."""
    allow_other_frozen_weights: bool = False
    """Accept a checkpoint trained with different frozen weights."""


def rank(prog: str, arguments: Sequence[str]) -> None:
    """Rank videos by their similarity to the first one in a category."""
    options = parse_arguments(Rank, arguments, prog=prog)
    if not options.candidates:
        raise InputError(f"CANDIDATE is missing (see {prog} --help)")
    from stepdiff_jax import StepDiff
    from stepdiff_jax.config_files import read_experiment
    from stepdiff_jax.data.video_span import check_videos

    read_experiment(options.model)
    check_videos([options.reference, *options.candidates])  # loading a model may take minutes
    model = StepDiff.load(
        options.model, allow_other_frozen_weights=options.allow_other_frozen_weights
    )
    for candidate, likelihood in model.rank(
        options.reference, options.candidates, category=options.category
    ):
        print(f"{likelihood:.4f} {candidate}")


def prep(prog: str, arguments: Sequence[str]) -> None:
    """Prepare data, stage by stage: annotations and videos -> datasets."""
    from data_prep.cli.prep import COMMANDS

    choose_command(COMMANDS, prog, arguments)


def bench(prog: str, arguments: Sequence[str]) -> None:
    """Measure rates: data preparation, likelihoods; ratios to other ways of doing the same."""
    from data_prep.cli.bench import BENCHES
    from launch.bench.score import score

    choose_command({**BENCHES, "score": score}, prog, arguments)


def convert(prog: str, arguments: Sequence[str]) -> None:
    """Convert weights: from Llama, InternVideo and CLIP, and to and from PyTorch."""
    from launch.convert import CONVERSIONS

    choose_command(CONVERSIONS, prog, arguments)


COMMANDS: dict[str, Command] = {
    "quickstart": quickstart,
    "train": train,
    "evaluate": evaluate,
    "aot": aot,
    "score": score,
    "table1": table1,
    "table2": table2,
    "weights": weights,
    "convert": convert,
    "compare": compare,
    "rank": rank,
    "ask": ask,
    "prep": prep,
    "bench": bench,
}
