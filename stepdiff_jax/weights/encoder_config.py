"""The config.json beside an encoder's weights, which the converters write."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.config import EncoderConfig, TextTowerConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.mismatch import Compared, require_same

FILE = "config.json"

FREE = ("image_size", "resized_side", "frames", "dtype")
"""Fields in which an experiment may differ from the weights: how frames are cut, how many there
are, and in which dtype the weights are held."""


def check_encoder_config(path: Path, config: EncoderConfig) -> None:
    """Check an experiment's encoder against the config.json of its weights, if there is one.

    Args:
        path: the weights' directory, or their file, beside which there may be one.
    Raises:
        InputError: a field differs; in a directory, also if the file is not an encoder's config.
    """
    file = (path if path.is_dir() else path.parent) / FILE
    if not file.is_file():
        return
    try:
        stored = dict(json.loads(file.read_text(encoding="utf-8")))
        stored["text"] = dict(stored["text"])
        stored["uniblock_layers"] = tuple(stored["uniblock_layers"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if not path.is_dir():  # another model's
            return
        raise InputError(f"{file}: not the config of an encoder: {error!r}") from error
    require_same(file, _compared(stored, config, ""))


def read_encoder_config(directory: Path) -> EncoderConfig:
    """The config of the encoder whose weights are in a directory.

    Raises:
        InputError: there is no config.json, or it is not an encoder's.
    """
    file = directory / FILE
    try:
        stored = dict(json.loads(file.read_text(encoding="utf-8")))
        stored["text"] = TextTowerConfig(**stored["text"])
        stored["uniblock_layers"] = tuple(stored["uniblock_layers"])
        return EncoderConfig(**stored)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not the config of an encoder: {error!r}") from error


def _compared(stored: Mapping[str, Any], config: Any, prefix: str) -> Iterator[Compared]:
    for field in dataclasses.fields(config):
        name, wanted = prefix + field.name, getattr(config, field.name)
        if field.name in FREE or field.name not in stored:
            continue
        if dataclasses.is_dataclass(wanted):
            yield from _compared(stored[field.name], wanted, f"{name}.")
        else:
            yield Compared(name, f"encoder.{name}", stored[field.name], wanted)
