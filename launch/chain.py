"""All of `stepdiff prep` on a rendered kitchen, in one command:

    python -m launch.chain --directory DIR [--model.kind endpoint --model.name NAME ...]

renders a small world of H.264 files with annotations and narration in the formats of HT-Step and
HowTo100M, and runs all stages in order up to the records that training reads. It prints each stage
as the command that a user would type. An interrupted run resumes where it stopped.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from data_prep.cli.prep import STAGES
from data_prep.kitchen.faults import kitchen_thresholds
from data_prep.kitchen.world_files import make_world
from data_prep.text.language_models.options import ModelOptions
from launch.printing import print_any_name
from stepdiff_jax.arguments import parse_arguments
from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.exit_codes import BAD_INPUT, SAVED
from stepdiff_jax.files import write_json
from stepdiff_jax.outside import one_line_errors

PROG = "python -m launch.chain"
ORACLE = "data_prep.kitchen.language_model:oracle"


@dataclass(frozen=True)
class Chain:
    """Render a kitchen and turn it into training data, stage by stage."""

    directory: Path
    """Output directory: world, records, data, inspect.html."""
    train_videos: int = 24
    validation_videos: int = 8
    seed: int = 0
    """Seed of the world."""
    processes: int = 2
    model: ModelOptions = field(default_factory=lambda: ModelOptions(kind=ORACLE))


def run(options: Chain) -> None:
    """Render the world and run every unfinished stage.

    Raises:
        InputError: a stage fails, or the directory has output from another world.
    """
    render(options)
    for name, arguments in stage_commands(options):
        print(f"$ stepdiff prep {name} {shlex.join(arguments)}", flush=True)
        STAGES[name](f"stepdiff prep {name}", arguments)
    print(f"$ {shlex.join(training_command(options.directory))}")


def render(options: Chain) -> None:
    """Write the world, and topics.json with the kitchen's words for the filter."""
    make_world(
        options.directory / "world",
        videos={"train": options.train_videos, "validation": options.validation_videos},
        seed=options.seed,
        processes=options.processes,
    )
    topics = kitchen_thresholds(topics=True).topics
    write_json(options.directory / "topics.json", topics, indent=1)


def stage_commands(options: Chain) -> list[tuple[str, list[str]]]:
    """The stages in order, with their arguments."""
    root = options.directory
    world, records = root / "world", root / "records"
    clips, descriptions, pairs, questions = (
        records / f"{name}.jsonl" for name in ("clips", "descriptions", "pairs", "questions")
    )
    model = _model_flags(options.model, world / "truth.jsonl")
    stages: list[tuple[str, dict[str, object]]] = [
        (
            "clips",
            {
                "htstep": world,
                "captions": world / "raw_caption.json",
                "videos": world / "videos",
                "destination": records,
            },
        ),
        (
            "frames",
            {
                "clips": clips,
                "destination": records / "frames.jsonl",
                "processes": options.processes,
            },
        ),
        ("describe", {"clips": clips, "destination": descriptions, **model}),
        (
            "pair",
            # A small world has few clips per keystep, and few of them are very similar.
            {"clips": clips, "descriptions": descriptions, "destination": pairs, "lowest": 0.1},
        ),
        (
            "question",
            {"pairs": pairs, "descriptions": descriptions, "destination": questions, **model},
        ),
        (
            "filter",
            {
                "questions": questions,
                "destination": records / "filtered.jsonl",
                "topics": root / "topics.json",
                "known-words": kitchen_thresholds(topics=False).known_words,
            },
        ),
        ("sequences", {"directory": records}),
        ("pack", {"source": records, "destination": root / "data"}),
        ("inspect", {"source": records, "destination": root / "inspect.html"}),
    ]
    return [(name, _words(flags)) for name, flags in stages]


def training_command(directory: Path) -> list[str]:
    """The command that trains the kitchen's model on the output of `run`, from the stand-ins."""
    flags = {
        "data.directory": directory / "data",
        "data.visual-input": "frames",
        "weights.initial-run": "",
        "loop.run-directory": directory / "run",
    }
    return ["stepdiff", "train", "kitchen", *_words(flags)]


def _model_flags(model: ModelOptions, truth: Path) -> dict[str, object]:
    """The non-default options as flags; the oracle gets the path of truth.jsonl."""
    if model.kind == ORACLE and not model.options:
        model = replace(model, options=(f"truth={truth}",))
    default = ModelOptions()
    values = {one.name: getattr(model, one.name) for one in fields(model)}
    return {
        f"model.{name.replace('_', '-')}": value
        for name, value in values.items()
        if value != getattr(default, name)
    }


def _words(flags: dict[str, object]) -> list[str]:
    words = []
    for name, value in flags.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name}", *map(str, values)]
    return words


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0, 2 on bad input, 75 when a server or disk fails."""
    print_any_name()
    try:
        with one_line_errors():
            run(parse_arguments(Chain, arguments, prog=PROG))
    except (InputError, OutsideFailure) as error:
        print(f"{PROG}: error:", *str(error).splitlines(), file=sys.stderr)
        return BAD_INPUT if isinstance(error, InputError) else SAVED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
