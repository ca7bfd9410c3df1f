"""Experiments in files: Python configs by name or path, and `config.json` of a run directory."""

import dataclasses
import importlib.util
import inspect
import json
import traceback
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from stepdiff_jax.accelerators import on_accelerator
from stepdiff_jax.addresses import refuse_addresses
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_size, size_names
from stepdiff_jax.jsonl import shorten
from stepdiff_jax.neighbours import importable

CONFIG_FILE = "config.json"
"""The file of a run directory that holds its experiment."""


CONFIG_PATH: list[Path] = []
"""Directories whose files are configs by name; importing a package of configs adds its own."""

CONFIG_ALIASES: dict[str, str] = {}
"""Other names of experiments: "stepdiff_70b" -> "stepdiff@llama2-70b"."""


def config_names() -> list[str]:
    """Names of the files in the directories of `CONFIG_PATH`, sorted."""
    return sorted(_named_files())


def describe_configs() -> str:
    """What CONFIG may be, in a sentence or two."""
    files = _named_files().items()
    sized = [name for name, path in files if "def experiment(size: str" in path.read_text()]
    return (
        f"CONFIG is a .py file or one of {', '.join(config_names())}; @SIZE after "
        f"{', '.join(sorted(sized))} selects that language model ({', '.join(size_names())}), and "
        "@v5e, @v6e, @v5p, @h100 or @h200 at the end selects the layout for that accelerator: "
        "stepdiff@llama2-70b@v5e"
    )


def load_experiment(config: str) -> Experiment:
    """The experiment with a name in `CONFIG_PATH`, or of a Python file by path.

    The file defines `experiment() -> Experiment`, or `experiment(size: str)` with a default, and
    may import Python files beside it.
    NAME@SIZE is the experiment with a published language model, such as stepdiff@llama2-70b, or
    with one that the file lists in `SIZES`, and NAME@ACCELERATOR or NAME@SIZE@ACCELERATOR uses the
    preset for that accelerator.

    Raises:
        InputError: no such name, file, size or preset; or the file fails, does not accept a size,
            or returns no Experiment.
    """
    name, *suffixes = _split(config)
    name, *implied = CONFIG_ALIASES[name].split("@") if name in CONFIG_ALIASES else [name]
    path = _find(name)
    with importable(path.parent):
        with _named_errors(path):
            module = _execute(path)
        own = getattr(module, "SIZES", ())
        # A published size is FAMILY-NAME; accelerators have no hyphen.
        sizes = implied + [part for part in suffixes[:1] if "-" in part or part in own]
        accelerators = suffixes[len(sizes) - len(implied) :]
        if len(sizes) > 1 or len(accelerators) > 1:
            raise InputError(f"{config}: must be NAME, optionally with @SIZE and @ACCELERATOR")
        for size in sizes:
            _check_size(size, own, path)
        with _named_errors(path):
            experiment = _build(module, path, *sizes)
    if not isinstance(experiment, Experiment):
        raise InputError(
            f"{path}: experiment() must return an Experiment, got {shorten(experiment)}"
        )
    refuse_addresses(experiment, texts=True)
    for accelerator in accelerators:
        experiment = on_accelerator(experiment, accelerator)
    return experiment


def _find(config: str) -> Path:
    """The file of a config by name or path."""
    path = Path(config)
    if path.suffix != ".py":
        named = _named_files()
        if config not in named:
            known = ", ".join(sorted(named))
            raise InputError(f"{config}: no config of this name; choose {known}, or a .py file")
        path = named[config]
    elif not path.is_file():
        raise InputError(f"{path}: no such config file")
    return path


def _check_size(size: str, own: Sequence[str], path: Path) -> None:
    if not own:
        find_size(size)
    elif size not in own:
        raise InputError(f"{path}: unknown size {size!r}; it has {', '.join(own)}")


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Errors in a config, or in a file beside it, as InputErrors that name the file and line."""
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{_origin(error, path)}: {type(error).__name__}: {error}") from error


def to_dict(experiment: Experiment) -> dict[str, Any]:
    """The experiment as JSON values: nested objects, and lists for tuples."""
    return json.loads(json.dumps(dataclasses.asdict(experiment)))


def from_dict(fields: Mapping[str, Any], source: Path | str) -> Experiment:
    """The inverse of `to_dict`; a field that is left out has its default.

    Raises:
        InputError: a field is unknown or missing, or a value has the wrong type; the message
            begins with `source`.
    """
    experiment = _parse(Experiment, fields, str(source), "")
    refuse_addresses(experiment, texts=True)
    return experiment


def read_experiment(directory: Path) -> Experiment:
    """The experiment in a run directory's `config.json`.

    Raises:
        InputError: the file is missing or not an experiment's.
    """
    path = directory / CONFIG_FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return from_dict(fields, path)


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested configuration, flattened: {"optimizer.steps": 2000, ...}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _named_files() -> dict[str, Path]:
    """Name of a config -> its file; the first directory wins if two have the same name."""
    directories = reversed(CONFIG_PATH)
    return {path.stem: path for one in directories for path in one.glob("[!_]*.py")}


def _execute(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _build(module: ModuleType, path: Path, *sizes: str) -> Any:
    if sizes and "size" not in inspect.signature(module.experiment).parameters:
        raise InputError(f"{path}: experiment() does not accept a size, got {sizes[0]!r}")
    return module.experiment(*sizes)


def _split(config: str) -> list[str]:
    """The name or file of a config, and what follows it after "@"; a file's name may have "@"."""
    parts = config.split("@")
    for count in range(len(parts), 0, -1):
        path = "@".join(parts[:count])
        if path.endswith(".py") and Path(path).is_file():
            return [path, *parts[count:]]
    return parts


def _origin(error: BaseException, path: Path) -> str:
    """ "FILE, line N" of the config, or of a file beside it, that an error arose in or under."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}" if error.lineno else error.filename
    beside, framework = path.parent.resolve(), Path(__file__).parent
    places = [
        f"{path if file.samefile(path) else file}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if (file := Path(frame.filename).resolve()).is_relative_to(beside)
        and not file.is_relative_to(framework)
        and file.exists()
    ]
    return places[-1] if places else str(path)


def _parse(kind: Any, value: Any, source: str, field: str) -> Any:
    """Convert a JSON value to the type `kind`, one of those that config.py's fields have."""
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return _parse_dataclass(kind, value, source, f"{field}." if field else "")
    if typing.get_origin(kind) is tuple and isinstance(value, list | tuple):
        item = typing.get_args(kind)[0]
        return tuple(_parse(item, each, source, f"{field}.{i}") for i, each in enumerate(value))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    if typing.get_origin(kind) is typing.Literal and value in typing.get_args(kind):
        return value
    subject = f"field {field!r}" if field else "it"
    wanted = getattr(kind, "__name__", str(kind))
    if typing.get_origin(kind) is typing.Literal:
        wanted = "one of " + ", ".join(map(repr, typing.get_args(kind)))
    raise InputError(f"{source}: {subject} must be {wanted}, got {shorten(value)}")


def _parse_dataclass(kind: Any, value: Mapping[str, Any], source: str, prefix: str) -> Any:
    types = typing.get_type_hints(kind)
    for name in value:
        if name not in types:
            raise InputError(f"{source}: unknown field {prefix + name!r}")
    for member in dataclasses.fields(kind):
        required = (member.default, member.default_factory) == (dataclasses.MISSING,) * 2
        if required and member.name not in value:
            raise InputError(f"{source}: field {prefix + member.name!r} is missing")
    return kind(
        **{name: _parse(types[name], each, source, prefix + name) for name, each in value.items()}
    )
