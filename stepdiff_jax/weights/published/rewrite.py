"""Published weights rewritten, once, as the files that an experiment loads."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Family
from stepdiff_jax.families.common.snapshots import local_snapshot
from stepdiff_jax.files import new_directory
from stepdiff_jax.weights.modules import ENCODER_FILE
from stepdiff_jax.weights.published.encoder import EncoderSource
from stepdiff_jax.weights.published.llama import open_llama
from stepdiff_jax.weights.shards import write_file, write_shards
from stepdiff_jax.weights.tensors import Report

TOKENIZER_FILES = (
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
)


def convert_llama(source: Path, directory: Path, family: Family) -> Report:
    """`pytorch_model*.bin` or `consolidated.*.pth` to a Hugging Face directory of safetensors.

    Tensors keep their dtype. Only one is in memory at a time, apart from what the system maps.

    Raises:
        InputError: as `open_llama`; there are tokenizers, but none is of the family; `directory`
            exists. Nothing is left behind then.
    """
    source = local_snapshot(source)
    found = open_llama(source, family)
    beside = _tokenizer_files(source)
    _require_tokenizer(beside, family)
    with new_directory(directory) as unfinished:
        write_shards(unfinished, found.tensors)
        (unfinished / "config.json").write_text(json.dumps(found.config_json, indent=2) + "\n")
        for name, path in beside.items():
            shutil.copyfile(path, unfinished / name)
    return Report(str(source), "Llama", tuple(found.rows), tuple(found.ignored))


def _tokenizer_files(source: Path) -> dict[str, Path]:
    """Tokenizer files by name; Meta keeps them beside the directories of its models."""
    return {
        name: folder / name
        for name in TOKENIZER_FILES
        for folder in (source.parent, source)
        if (folder / name).is_file()
    }


def _require_tokenizer(beside: Mapping[str, Path], family: Family) -> None:
    """Raise InputError if there are tokenizers, but the family can open none of them."""
    problems = []
    for name in ("tokenizer.json", "tokenizer.model"):
        if name in beside:
            try:
                family.open_tokenizer(beside[name])
                return
            except InputError as error:
                problems.append(error)
    if problems:
        raise problems[0]


def write_encoder(found: EncoderSource, source: Path, directory: Path) -> Report:
    """An encoder's arrays as `encoder.safetensors`, and its config.

    Tensors keep their dtype.

    Raises:
        InputError: `directory` exists.
    """
    with new_directory(directory) as unfinished:
        metadata = {"format": "stepdiff-jax", "kind": found.kind, "source": source.name}
        write_file(unfinished / ENCODER_FILE, found.tensors, metadata)
        config = dataclasses.asdict(found.config)
        (unfinished / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return Report(str(source), found.kind, tuple(found.rows), tuple(found.ignored))
