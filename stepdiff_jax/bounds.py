"""Types of numbers with their ranges, and the check of a dataclass against them.

A range excludes what is certainly a mistake (a billion layers), not what is unusual; all are ours.
"""

import dataclasses
import math
import typing
from typing import Annotated, Any

from msgspec import Meta

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten

Layers = Annotated[int, Meta(ge=1, le=1024)]
ResamplerLayers = Annotated[int, Meta(ge=1, le=64)]
"""These are traced one by one, so that many take minutes before anything is said."""
LayerIndex = Annotated[int, Meta(ge=0, le=1023)]
Heads = Annotated[int, Meta(ge=1, le=1024)]
Width = Annotated[int, Meta(ge=1, le=2**17)]
MlpWidth = Annotated[int, Meta(ge=1, le=2**19)]
Rank = Annotated[int, Meta(ge=0, le=2**17)]
Vocabulary = Annotated[int, Meta(ge=1, le=2**22)]
Tokens = Annotated[int, Meta(ge=1, le=2**20)]
Frames = Annotated[int, Meta(ge=1, le=1024)]
Pixels = Annotated[int, Meta(ge=1, le=4096)]
Rows = Annotated[int, Meta(ge=1, le=2**20)]
RowVideos = Annotated[int, Meta(ge=1, le=4096)]
Threads = Annotated[int, Meta(ge=0, le=1024)]
Devices = Annotated[int, Meta(ge=-1, le=2**20)]
Steps = Annotated[int, Meta(ge=1, le=10**8)]
StepsOrNone = Annotated[int, Meta(ge=0, le=10**8)]
Seconds = Annotated[int, Meta(ge=0, le=10**8)]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]

Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Momentum = Annotated[float, Meta(ge=0, lt=1)]
Epsilon = Annotated[float, Meta(gt=0, lt=1)]


def check_bounds(value: Any, prefix: str = "") -> None:
    """Check every number of a dataclass, and of those in it, against the range of its type.

    Raises:
        InputError: a number is outside its range or not finite, or a field holds another type; the
            message begins with the field's dotted name.
    """
    hints = typing.get_type_hints(type(value), include_extras=True)
    for field in dataclasses.fields(value):
        _check(hints[field.name], getattr(value, field.name), prefix + field.name)


def bounds(kind: Any) -> Meta | None:
    """The range in a type; None if it has none."""
    return next((one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Meta)), None)


def _check(kind: Any, value: Any, name: str) -> None:
    if dataclasses.is_dataclass(value):
        check_bounds(value, f"{name}.")
    elif typing.get_origin(kind) is tuple:
        for number, item in enumerate(value):
            _check(typing.get_args(kind)[0], item, f"{name}.{number}")
    elif (limits := bounds(kind)) is not None:
        plain = typing.get_args(kind)[0]
        allowed = (int,) if plain is int else (int, float)
        if type(value) not in allowed or not _within(value, limits):
            noun = "an integer" if plain is int else "a number"
            raise InputError(f"{name} must be {noun} {_range(limits)}, got {shorten(value)}")


def _within(value: float, limits: Meta) -> bool:
    return (
        math.isfinite(value)
        and (limits.ge is None or value >= limits.ge)
        and (limits.gt is None or value > limits.gt)
        and (limits.le is None or value <= limits.le)
        and (limits.lt is None or value < limits.lt)
    )


def _range(limits: Meta) -> str:
    low = f"from {limits.ge:.10g}" if limits.gt is None else f"above {limits.gt:.10g}"
    return f"{low} to {limits.le:.10g}" if limits.lt is None else f"{low} to below {limits.lt:.10g}"
