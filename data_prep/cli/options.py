"""The options of every stage, to be read before any stage runs."""

from collections.abc import Sequence
from typing import Any

from data_prep.cli.benchmark import Benchmark, Validate
from data_prep.cli.frames import Frames
from data_prep.cli.inspect import Inspect
from data_prep.cli.records import Features, Pack, Sequences
from data_prep.cli.sources import Clips, Differences, ExportLlava, ImportLlava
from data_prep.cli.text import Describe, Filter, Pair, Question
from stepdiff_jax.arguments import load_config, parse_arguments

OPTIONS: dict[str, Any] = {
    "import-llava": ImportLlava,
    "clips": Clips,
    "frames": Frames,
    "describe": Describe,
    "pair": Pair,
    "question": Question,
    "filter": Filter,
    "sequences": Sequences,
    "pack": Pack,
    "features": Features,
    "export-llava": ExportLlava,
    "inspect": Inspect,
    "differences": Differences,
    "benchmark": Benchmark,
    "validate": Validate,
}
"""Stage -> the dataclass of its options, in the order in which `prep all` runs them."""


def read_options(stage: str, group: str, words: Sequence[str]) -> Any:
    """The options of a stage's command.

    Args:
        group: the words before the stage's name, for messages.
    Raises:
        InputError: an option is unknown or missing, or a value has the wrong type.
    """
    prog = f"{group} {stage}"
    if stage == "features":
        experiment, prog, rest = load_config(prog, words)
        return parse_arguments(Features, rest, prog=prog, default=Features(experiment))
    return parse_arguments(OPTIONS[stage], words, prog=prog)
