"""The rotary frequencies that a Llama's config.json declares, in any of the places it may.

transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 `rope_parameters`. A file that
both have saved has them all, and one may be out of date.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError

NESTED = ("rope_parameters", "rope_scaling")
BESIDE = ("rope_theta", "original_max_position_embeddings", "partial_rotary_factor")
"""Fields that may also stand outside of them."""


def rotary_fields(stored: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The rotary fields of a config.json, under the names of `rope_parameters`.

    Raises:
        InputError: two places have different values; they differ between kinds of layers; or a
            place holds something other than an object.
    """
    found: dict[str, tuple[str, Any]] = {}
    for place in NESTED:
        for field, value in _fields(stored, place, path).items():
            _add(found, field, f"{place}.{field}", value, path)
    for field in BESIDE:
        # Beside unscaled frequencies, the original length means nothing.
        if field == "original_max_position_embeddings" and field not in found:
            continue
        _add(found, field, field, stored.get(field), path)
    return {field: value for field, (_, value) in found.items()}


def _fields(stored: Mapping[str, Any], place: str, path: Path) -> Mapping[str, Any]:
    fields = stored.get(place) or {}
    if not isinstance(fields, dict):
        raise InputError(f"{path}: {place} is {fields!r}, expected an object")
    kinds = {name: value for name, value in fields.items() if isinstance(value, dict)}
    if not kinds:
        return fields
    # transformers 5: {"full_attention": {...}, "sliding_attention": {...}}
    first, *others = kinds.items()
    for name, value in others:
        if value != first[1]:
            raise InputError(
                f"{path}: {place}.{name} is {value!r}, {place}.{first[0]} is {first[1]!r}; only "
                "the same for all layers is supported"
            )
    return first[1]


def _add(found: dict[str, tuple[str, Any]], field: str, where: str, value: Any, path: Path) -> None:
    if value is None:
        return
    name, (other, known) = _plain(field), found.get(_plain(field), (where, value))
    if known is not value and known != value:
        raise InputError(
            f"{path}: {where} is {value!r}, but {other} is {known!r}; remove the one that is out "
            "of date"
        )
    found[name] = other, known


def _plain(field: str) -> str:
    """`rope_type`, which older files call `type`."""
    return "rope_type" if field == "type" else field
