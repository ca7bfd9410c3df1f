"""Which arrays of a model are trained: patterns over their dotted paths.

A pattern is the beginning of a path, up to a dot or the end: `resampler` is the whole resampler,
`llama.embedding` one array. In a pattern,

- `*` stands for any characters, dots included: `llama.*lora*` is every adapter;
- `llama.blocks[-N:]` stands for the last N layers of the language model, and
  `llama.blocks[-N:].query` for one matrix of each of them. Layers are stacked on one axis and
  scanned, so these have a stack of their own, `llama.last_blocks`; other ranges of layers are
  rejected.

An array is trained if any pattern matches its path.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from stepdiff_jax.errors import InputError

LAST_BLOCKS = "last_blocks"
"""The attribute of the language model that holds its trained last layers."""

_RANGE = re.compile(r"llama\.blocks\[-(\d+):\](\..+)?")


def is_trained(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A predicate of dotted paths: whether the array is trained.

    Raises InputError if a pattern has brackets that are not `llama.blocks[-N:]`.
    """
    compiled = [_compile(pattern) for pattern in patterns]
    return lambda path: any(one.fullmatch(path) for one in compiled)


def last_layers(patterns: Sequence[str], layers: int) -> int:
    """How many last layers of a language model with `layers` layers have their own stack.

    Returns 0 if no pattern names a range. Raises InputError if a pattern names layers that do not
    exist, or if two patterns name different ones.
    """
    counts = {}
    for pattern in patterns:
        if match := _RANGE.fullmatch(pattern):
            counts[int(match[1])] = pattern
    for count, pattern in counts.items():
        if not 0 < count <= layers:
            raise InputError(f"trainable: {pattern!r}: the language model has {layers} layers")
        if count == layers:
            whole = pattern.replace(f"[-{count}:]", "")
            raise InputError(f"trainable: {pattern!r} names all layers; write {whole!r}")
    if len(counts) > 1:
        several = " and ".join(map(repr, counts.values()))
        raise InputError(f"trainable: {several} must name the same last layers")
    return next(iter(counts), 0)


def check_trainable(patterns: Sequence[str], arrays: Mapping[str, Any]) -> None:
    """Reject patterns that cannot be trained.

    Args:
        arrays: the model's arrays, or their shapes and dtypes, by dotted path.
    Raises:
        InputError: there is no pattern; a pattern matches no array, the video encoder or quantised
            weights; or no pattern matches an adapter, which would then have no effect.
    """
    if not patterns:
        raise InputError("trainable: names nothing to train")
    for pattern in patterns:
        found = [path for path in arrays if _compile(pattern).fullmatch(path)]
        if not found:
            hint = "; llama.lora.rank is 0" if "lora" in pattern else ""
            raise InputError(f"trainable: {pattern!r} matches no array of the model{hint}")
        for path in found:
            if path.startswith("encoder."):
                raise InputError(
                    f"trainable: {pattern!r} matches {path}: the video encoder is not trained"
                )
            if not jnp.issubdtype(arrays[path].dtype, jnp.floating) or path.endswith(".scales"):
                raise InputError(
                    f"trainable: {pattern!r} matches {path}: quantised weights cannot be trained"
                )
    trained = is_trained(patterns)
    for path in arrays:
        if ".lora." in path and not trained(path):
            raise InputError(
                f"trainable: {path} is not trained; add 'llama.*lora*', or set llama.lora.rank to 0"
            )


def _compile(pattern: str) -> re.Pattern[str]:
    if match := _RANGE.fullmatch(pattern):
        pattern = f"llama.{LAST_BLOCKS}{match[2] or ''}"
    if "[" in pattern or not pattern:
        raise InputError(
            f"trainable: {pattern!r}: only the last layers can be selected, as in "
            "'llama.blocks[-2:]'"
        )
    return re.compile(".*".join(map(re.escape, pattern.split("*"))) + r"(\..*)?")
