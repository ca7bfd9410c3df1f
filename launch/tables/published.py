"""The rows of both tables for the released benchmark, by the places of weights and runs."""

import tomllib
from pathlib import Path
from typing import Any

from launch.tables.paper import SMALLER, TABLE_1, TABLE_2
from launch.tables.rows import Row
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_size, size_names

WEIGHTS = Path("weights")
RUNS = Path("runs")

_EXTERNAL = {
    "VCLM (LLaVA)": ("vclm_llava", "llava-1.5"),
    "Interleaved (IDEFICS)": ("interleaved_idefics", "idefics-instruct"),
}
_CAPTIONERS = {"Socratic (BLIP-2)": "blip2", "Socratic (LLaVA)": "llava-1.5"}
_OURS = {
    "VCLM (AnyMAL)": ("vclm", "vclm"),
    "Interleaved (AnyMAL)": ("interleaved", "interleaved"),
    "StepDiff": ("stepdiff", "stepdiff"),
}


def rows(size: str) -> list[Row]:
    """The paper's rows.

    Weights of others are looked for in `weights/`: `clip-vit-l-14` (as `stepdiff convert clip`
    writes it), `blip2`, `llava-1.5` and `idefics-instruct` (transformers' format); descriptions in
    `records/descriptions.jsonl`; runs in `runs/vclm_SIZE`, `runs/interleaved_SIZE` and
    `runs/stepdiff_SIZE`.

    Args:
        size: 7b, 13b or 70b.
    """
    found = {name: _row(name, size) for name in TABLE_1}
    return list(found.values())


def ablations(size: str) -> list[Row]:
    """The rows of Table 2: runs in `runs/stepdiff_SIZE` and, of the ablations, beside it.

    Args:
        size: 7b, 13b or 70b; the smaller language model is 13b, or 7b if that is the size.
    """
    config, smaller = f"stepdiff_{size}", f"stepdiff_{'7b' if size == '13b' else '13b'}"
    without_interleaved = (
        f"stepdiff train {config} --data.mixture.sequences 0 "
        f"--loop.run-directory {RUNS}/{config}_without_interleaved"
    )
    without_filter = (
        f"stepdiff train {config} --data.directory datasets/stepdiff_unfiltered "
        f"--loop.run-directory {RUNS}/{config}_without_filter"
    )
    return [
        _trained("StepDiff", config, config),
        _trained(
            "StepDiff without interleaved data",
            config,
            f"{config}_without_interleaved",
            without_interleaved,
        ),
        _trained(
            "StepDiff without QA filtering", config, f"{config}_without_filter", without_filter
        ),
        _trained(SMALLER, smaller, smaller),
    ]


def language_models() -> dict[str, Row]:
    """Published size of a family -> StepDiff with it, in `runs/stepdiff_LABEL`."""
    return {
        name: _trained(f"StepDiff, {name}", f"stepdiff@{name}", f"stepdiff_{find_size(name).label}")
        for name in size_names()
    }


def _trained(name: str, config: str, run: str, made_by: str = "") -> Row:
    flags = ("--system", "stepdiff", "--run", str(RUNS / run))
    command = made_by or f"stepdiff train {config}"
    paper = TABLE_2.get(name, {})
    return Row(name, config, flags, (RUNS / run,), paper, made_by=command)


def _row(name: str, size: str) -> Row:
    config = f"stepdiff_{size}"
    flags: tuple[str, ...]
    if name in _OURS:
        system, run = _OURS[name]
        directory = RUNS / f"{run}_{size}"
        flags, needs = ("--system", system, "--run", str(directory)), directory
    elif name in _EXTERNAL:
        system, weights = _EXTERNAL[name]
        needs = WEIGHTS / weights
        flags = ("--system", system, "--weights", str(needs))
    elif name in _CAPTIONERS:
        needs = WEIGHTS / _CAPTIONERS[name]
        flags = ("--system", "socratic", "--captioner", str(needs))
    elif name == "Socratic (step description)":
        needs = Path("records/descriptions.jsonl")
        flags = ("--system", "socratic", "--descriptions", str(needs))
    elif name == "VLEmbed (CLIP)":
        needs = WEIGHTS / "clip-vit-l-14"
        flags = ("--system", "vlembed_clip", "--clip", str(needs))
    else:
        needs = Path(f"{WEIGHTS}/internvideo-mm-l-14")
        flags = ("--system", "vlembed")
    return Row(name, config, flags, (needs,), TABLE_1[name])


def read_rows(path: Path) -> list[Row]:
    """The rows of a TOML file: tables `[[row]]` with `name`, `config`, `flags` and `needs`.

    `needs` has the paths without which a row cannot be measured, if there are any. A name of the
    paper's gets its figures.

    Raises:
        InputError: the file cannot be read, or a field is missing, unknown or of another type.
    """
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    tables = stored.get("row")
    if not isinstance(tables, list) or not tables:
        raise InputError(f"{path}: has no [[row]]")
    return [_parsed(path, number, table) for number, table in enumerate(tables, start=1)]


def _parsed(path: Path, number: int, table: dict[str, Any]) -> Row:
    def fail(problem: str) -> InputError:
        return InputError(f"{path}, row {number}: {problem}")

    for name in table:
        if name not in ("name", "config", "flags", "needs"):
            raise fail(f"field {name!r} is unknown; known: name, config, flags, needs")
    for name in ("name", "config"):
        if not isinstance(table.get(name), str) or not table[name]:
            raise fail(f"field {name!r} must be a text, got {table.get(name)!r}")
    for name in ("flags", "needs"):
        value = table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise fail(f"field {name!r} must be a list of texts, got {value!r}")
    needs = tuple(map(Path, table.get("needs", [])))
    paper = TABLE_1.get(table["name"], {})
    return Row(table["name"], table["config"], tuple(table.get("flags", [])), needs, paper)
