"""Commands, and their arguments as dataclasses, with one-line errors."""

import contextlib
import dataclasses
import io
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import tyro

from stepdiff_jax.addresses import refuse_addresses, refuse_stores
from stepdiff_jax.check_config import check_config
from stepdiff_jax.config import Experiment, Source
from stepdiff_jax.config_files import describe_configs, load_experiment
from stepdiff_jax.errors import InputError

Options = TypeVar("Options")

_SOURCE_WEIGHT = re.compile(r"--data\.mixture\.(?P<name>[^\d.=][^.=]*)(=(?P<weight>.*))?")

Command = Callable[[str, Sequence[str]], None]
"""Called with the words before its arguments, for messages, and its arguments."""


def choose_command(commands: Mapping[str, Command], prog: str, arguments: Sequence[str]) -> None:
    """Run the command that the first argument names; `--help` lists the commands.

    Raises:
        InputError: the command is missing or unknown.
    """
    name, options = (arguments[0], arguments[1:]) if arguments else ("", ())
    if name in ("-h", "--help"):
        print(f"usage: {prog} COMMAND ...\n")
        for known, command in commands.items():
            print(f"  {known:<12}{(command.__doc__ or '').splitlines()[0]}")
        print(f"\nFor details: {prog} COMMAND --help")
    elif name in commands:
        commands[name](f"{prog} {name}", options)
    else:
        problem = f"unknown command {name!r}" if name else "a command is missing"
        raise InputError(f"{problem}; known: {', '.join(commands)} (see {prog} --help)")


def parse_arguments(
    options: type[Options],
    arguments: Sequence[str],
    *,
    prog: str,
    default: Options | None = None,
    notes: str = "",
) -> Options:
    """Parse `--field value` for every field of a dataclass; `--help` prints them and exits.

    Args:
        prog: the command as the user typed it, for messages.
        default: an instance whose values are the defaults.
        notes: printed below the options by `--help`.
    Raises:
        InputError: an option is unknown or missing, a value has the wrong type, a path is an
            address of a cloud store, or an experiment among the options is not valid
            (`check_config`).
    """
    refuse_stores(arguments)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parsed = tyro.cli(
                options,
                prog=prog,
                args=arguments,
                default=tyro.MISSING_NONPROP if default is None else default,
            )
    except SystemExit as stop:
        if not stop.code:
            print(notes, end="\n" if notes else "")
            raise
        raise InputError(f"{first_section(errors.getvalue())} (see {prog} --help)") from None
    refuse_addresses(parsed)
    for value in vars(parsed).values():
        if isinstance(value, Experiment):
            check_config(value)
    return parsed


def missing_values(options: type[Options]) -> Options:
    """A dataclass's defaults, for `parse_arguments`; fields without one are required."""
    required = [
        field.name
        for field in dataclasses.fields(options)  # type: ignore[arg-type]
        if field.default is field.default_factory is dataclasses.MISSING
    ]
    return options(**dict.fromkeys(required, tyro.MISSING))


def last_value(arguments: Sequence[str], flag: str, default: str) -> str:
    """The value of a flag that determines other flags, before these can be parsed."""
    value = default
    for word, following in zip(arguments, [*arguments[1:], default]):
        name, equals, text = word.partition("=")
        if name == flag:
            value = text if equals else following
    return value


def load_config(prog: str, arguments: Sequence[str]) -> tuple[Experiment, str, Sequence[str]]:
    """The experiment that the first argument names, the words up to it, and other arguments."""
    known = describe_configs()
    if not arguments:
        raise InputError(f"CONFIG is missing: {prog} CONFIG ...; {known}")
    refuse_stores(arguments)
    config, *options = arguments
    if config in ("-h", "--help"):
        print(f"usage: {prog} CONFIG [OPTIONS]\n\n{known}.\n{prog} CONFIG --help lists OPTIONS.")
        raise SystemExit(0)
    experiment, rest = with_mixture(load_experiment(config), options)
    return experiment, f"{prog} {config}", rest


def with_mixture(
    experiment: Experiment, arguments: Sequence[str]
) -> tuple[Experiment, Sequence[str]]:
    """Apply `--data.mixture.NAME WEIGHT`; returns the experiment and all other arguments.

    It sets the weight of a source by its name, or adds one. The command line's parser only knows
    the sources that there are, by number.

    Raises:
        InputError: a weight is missing or not a number.
    """
    sources = {source.name: source for source in experiment.data.mixture}
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        match = _SOURCE_WEIGHT.fullmatch(word)
        if match is None:
            rest.append(word)
            continue
        name, text = match["name"], match["weight"] or next(words, "")
        try:
            sources[name] = Source(name, float(text))
        except ValueError:
            raise InputError(f"--data.mixture.{name} must be a number, got {text!r}") from None
    data = dataclasses.replace(experiment.data, mixture=tuple(sources.values()))
    return dataclasses.replace(experiment, data=data), rest


def first_section(box: str) -> str:
    """tyro's error on one line: the text of its box between the title and the next rule.

    tyro draws rules as lines or, if the output is not UTF-8, as dashes; in colour on a terminal.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    _, *lines = (line.strip(" │") for line in plain.strip().splitlines())
    message = itertools.takewhile(
        _is_text, itertools.dropwhile(lambda line: not _is_text(line), lines)
    )
    return " ".join(message)


def _is_text(line: str) -> bool:
    return bool(line.strip("╰╯─-"))
