"""Checks of a stage's options, among those of the stages before it, before any of them runs."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from data_prep.cli.records import Pack, Sequences
from data_prep.cli.sources import Clips, Differences, clip_limits
from data_prep.cli.text import Describe, Filter, Pair, Question
from data_prep.stage.shards import Shard
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import require_writable

OUTPUTS = ("destination", "directory")


def check_plan(stage: str, plan: Mapping[str, Any]) -> None:
    """Check a stage's values, that its inputs are there or will be, and that it can write.

    Args:
        plan: stage -> its options, in the order in which they run.
    Raises:
        InputError: names the option and its value.
    """
    options = plan[stage]
    written = set()
    for name, earlier in plan.items():
        if name == stage:
            break
        written |= {_directory(path) for path in _paths(earlier, OUTPUTS).values()}
    for field, path in _paths(options, None).items():
        flag = f"--{field.replace('_', '-')} {path}"
        if field == "destination":
            require_writable(_directory(path))
        elif not path.exists() and not any(
            path.absolute().is_relative_to(directory) for directory in written
        ):
            raise InputError(f"{flag}: is not there, and no earlier stage writes it")
    running = getattr(options, "running", None)
    if running is not None:
        Shard.parse(running.shard)
    check = CHECKS.get(stage)
    if check is not None:
        check(options)


def _paths(options: Any, names: tuple[str, ...] | None) -> dict[str, Path]:
    """The options that are paths, by field; for a sequence, its last one that does not exist."""
    found = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if names is not None and field.name not in names:
            continue
        if isinstance(value, Path):
            found[field.name] = value
        elif isinstance(value, tuple) and value and all(isinstance(one, Path) for one in value):
            found[field.name] = next((one for one in value if not one.exists()), value[0])
    return found


def _directory(path: Path) -> Path:
    """The directory that a destination is, or is in."""
    path = path.absolute()
    return path.parent if path.suffix in (".json", ".jsonl", ".html") else path


def _clips(options: Clips | Differences) -> None:
    from data_prep.sources.limits import ClipLimits

    if isinstance(options, Clips):
        clip_limits(options)
    else:
        ClipLimits(options.shortest, options.longest, options.duplicate_overlap)


def _model(options: Describe | Question) -> None:
    from data_prep.text.language_models.choice import open_model

    if options.model.kind != "own":  # which takes minutes to load
        open_model(options.model)


def _pair(options: Pair) -> None:
    from data_prep.similarity.choice import similarity_bounds
    from data_prep.text.pair.choice import PairLimits

    bounds = similarity_bounds(options.similarity, options.lowest, options.highest)
    PairLimits(*bounds, options.per_clip, options.per_keystep)


def _filter(options: Filter) -> None:
    from data_prep.text.filter.registry import RULES

    unknown = sorted(set(options.rules) - set(RULES))
    if unknown:
        raise InputError(f"--rules: unknown {unknown}; known: {', '.join(RULES)}")


def _sequences(options: Sequences) -> None:
    from data_prep.records.sequences.stage import CLIPS_PER_SEQUENCE, SequenceLimits

    most = options.clips_per_sequence
    if most is None and options.tokens is None:
        most = CLIPS_PER_SEQUENCE
    SequenceLimits(most, options.tokens, options.latents, options.longest_gap)
    if (options.tokens is None) != (options.tokenizer is None):
        raise InputError("--tokens and --tokenizer must be given together")


def _pack(options: Pack) -> None:
    if options.shard_records < 1:
        raise InputError(f"--shard-records must be at least 1, got {options.shard_records}")


CHECKS: dict[str, Callable[[Any], None]] = {
    "clips": _clips,
    "differences": _clips,
    "describe": _model,
    "pair": _pair,
    "question": _model,
    "filter": _filter,
    "sequences": _sequences,
    "pack": _pack,
}
"""Stage -> a check of its values that needs no file."""
