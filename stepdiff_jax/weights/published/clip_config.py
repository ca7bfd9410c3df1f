"""What the config.json of a CLIP says that its tensors do not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError

TOWERS = {"vision_config": 12, "text_config": 8}
"""The two towers, and the heads of each that transformers leaves out of the file: its defaults."""

FIXED = {"hidden_act": ("quick_gelu",), "layer_norm_eps": (1e-05,)}
"""What our encoder computes; CLIPs of other projects have other activations."""


def read_clip_heads(path: Path) -> tuple[int | None, int | None]:
    """The numbers of heads of the image and the text tower; None if no file says them.

    Args:
        path: a directory with config.json, or a file of weights, beside which there may be one.
    Raises:
        InputError: it is not the config of a CLIPModel (beside a file, another one is left alone),
            or declares another activation or another epsilon than our encoder computes with.
    """
    file = (path if path.is_dir() else path.parent) / "config.json"
    if not file.is_file():
        return None, None
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        towers = {name: dict(stored[name]) for name in TOWERS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        if not path.is_dir():
            return None, None
        raise InputError(f"{file}: not the config of a CLIPModel: {error!r}") from error
    heads = [_heads(file, name, tower) for name, tower in towers.items()]
    return heads[0], heads[1]


def _heads(file: Path, name: str, tower: Mapping[str, Any]) -> int:
    for field, known in FIXED.items():
        if tower.get(field) not in (None, *known):
            raise InputError(
                f"{file}: {name}.{field} is {tower[field]!r}, but only {known[0]!r} is supported"
            )
    heads = tower.get("num_attention_heads", TOWERS[name])
    if not isinstance(heads, int) or isinstance(heads, bool) or heads < 1:
        raise InputError(f"{file}: {name}.num_attention_heads is {heads!r}, expected a number")
    return heads
