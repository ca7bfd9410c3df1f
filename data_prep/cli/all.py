"""`stepdiff prep all`: runs the stages of one file of settings, in order."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from data_prep.cli.options import OPTIONS, read_options
from data_prep.cli.plan import check_plan
from data_prep.cli.running import Running, check_beam
from data_prep.cli.settings import read_settings
from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class All:
    """Run the stages of a file of settings in order; finished stages are skipped.

    The file is TOML, with a table for each stage: [clips], [frames], ... Its keys are the stage's
    flags.
    """

    settings: Annotated[Positional[Path], arg(metavar="SETTINGS")]
    retry_quarantined: bool = False
    """Try the quarantined records of all stages again, and keep the others."""
    beam_runner: str = ""
    """Do the stages in shards with Apache Beam (extra [beam]): DirectRunner, DaskRunner, ..."""
    beam_options: tuple[str, ...] = ()
    """Options of the runner, NAME=VALUE."""
    beam_shards: int | None = None
    """Shards of each stage; by default one for every 32 records, at most 1000."""
    check: bool = False
    """Only check the settings, and print the commands."""


def all_command(stages: Mapping[str, Command]) -> Command:
    """The command `all` for these stages."""

    def run_all(prog: str, arguments: Sequence[str]) -> None:
        """SETTINGS.toml -> all stages that it names, in order; finished ones are skipped."""
        options = parse_arguments(All, arguments, prog=prog)
        check_beam(options.beam_runner, options.beam_options)
        group = prog.rpartition(" ")[0]
        read = read_settings(options.settings, OPTIONS)
        commands = {name: [*words, *_shared(options, name, words)] for name, words in read.items()}
        parsed = {
            name: _named(options.settings, name, partial(read_options, name, group, words))
            for name, words in commands.items()
        }
        for name in parsed:
            _named(options.settings, name, partial(check_plan, name, parsed))
        for name, words in commands.items():
            print(f"$ {group} {name} {shlex.join(words)}", flush=True)
            if not options.check:
                stages[name](f"{group} {name}", words)

    return run_all


def _shared(options: All, name: str, words: Sequence[str]) -> list[str]:
    """The options for all stages as words of one that has them, unless it gives its own."""
    known = OPTIONS[name].__dataclass_fields__
    has = set(known) | (set(Running.__dataclass_fields__) if "running" in known else set())
    given: dict[str, list[str]] = {}
    if options.retry_quarantined:
        given["retry_quarantined"] = []
    if options.beam_runner:
        given["beam_runner"] = [options.beam_runner]
    if options.beam_options:
        given["beam_options"] = list(options.beam_options)
    if options.beam_shards is not None:
        given["beam_shards"] = [str(options.beam_shards)]
    flags = {field: f"--{field.replace('_', '-')}" for field in given}
    return [
        word
        for field, values in given.items()
        if field in has and flags[field] not in words
        for word in (flags[field], *values)
    ]


def _named(path: Path, stage: str, check: Callable[[], Any]) -> Any:
    """The result of a check of a stage, whose errors name the file and the stage."""
    try:
        return check()
    except InputError as error:
        raise InputError(f"{path}: [{stage}]: {error}") from error
