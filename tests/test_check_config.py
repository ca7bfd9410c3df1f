"""Every number of an experiment has a range, and what is outside is one line naming it."""

import dataclasses
import math
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from launch.cli import main
from stepdiff_jax.bounds import bounds, check_bounds
from stepdiff_jax.check_config import check_config
from stepdiff_jax.config import Source
from stepdiff_jax.config_files import load_experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.construct import abstract_model

KITCHEN = load_experiment("kitchen")
MISTAKES = (math.nan, math.inf, -math.inf, -1, 0, 10**12, 0.5, "3", None)


def numbers(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and types of all numeric fields of a dataclass, and of those in it."""
    hints = typing.get_type_hints(type(value), include_extras=True)
    for field in dataclasses.fields(value):
        kind, name = hints[field.name], prefix + field.name
        if dataclasses.is_dataclass(getattr(value, field.name)):
            yield from numbers(getattr(value, field.name), f"{name}.")
            continue
        if typing.get_origin(kind) is tuple:
            kind, name = typing.get_args(kind)[0], f"{name}.0"
        if dataclasses.is_dataclass(kind):
            yield from numbers(getattr(value, field.name)[0], f"{name}.")
        elif (typing.get_args(kind) or (kind,))[0] in (int, float):
            yield name, kind


def replaced(value: Any, name: str, number: Any) -> Any:
    """The dataclass or tuple with the value at a dotted name replaced."""
    head, _, rest = name.partition(".")
    if isinstance(value, tuple):
        items = list(value) or [None]
        items[int(head)] = replaced(items[int(head)], rest, number) if rest else number
        return tuple(items)
    inner = replaced(getattr(value, head), rest, number) if rest else number
    return dataclasses.replace(value, **{head: inner})


NUMBERS = dict(numbers(KITCHEN))


def test_numbers_are_found_at_every_depth():
    assert {"llama.rope_scaling.factor", "encoder.text.width", "mesh.data"} <= NUMBERS.keys()
    assert {"data.mixture.0.weight", "encoder.uniblock_layers.0"} <= NUMBERS.keys()
    assert len(NUMBERS) > 50


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_range_of_finite_ends(name):
    limits = bounds(NUMBERS[name])
    assert limits is not None, f"{name}: use a type of stepdiff_jax/bounds.py"
    assert None not in (
        limits.ge if limits.gt is None else limits.gt,
        limits.le if limits.lt is None else limits.lt,
    )


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_in_its_range_or_refused_by_name_and_value(name):
    limits = bounds(NUMBERS[name])
    integer = typing.get_args(NUMBERS[name])[0] is int
    for mistake in MISTAKES:
        changed = replaced(KITCHEN, name, mistake)
        number = type(mistake) is int or (type(mistake) is float and not integer)
        if (
            number
            and (limits.ge is None or mistake >= limits.ge)
            and (limits.gt is None or mistake > limits.gt)
            and mistake <= (limits.le if limits.lt is None else math.nextafter(limits.lt, 0))
        ):
            check_bounds(changed)
            try:
                check_config(changed)
            except InputError as error:  # by a rule about two fields
                assert name.rpartition(".")[2] in str(error) or name.startswith("data.mixture")
        else:
            with pytest.raises(InputError) as error:
                check_config(changed)
            assert str(error.value).startswith(f"{name} must be ")
            assert str(error.value).endswith(f"got {mistake!r}")


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("optimizer.warmup_steps", 900, "optimizer.warmup_steps must be less than optimizer.steps"),
        ("llama.heads", 3, "llama.width must be llama.heads (3) times an even number, got "),
        ("llama.kv_heads", 3, "llama.heads 4 is not a multiple of llama.kv_heads 3"),
        ("encoder.heads", 7, "encoder.width "),
        ("encoder.text.heads", 7, "encoder.text.width "),
        ("encoder.patch_size", 13, "encoder.image_size "),
        ("encoder.resized_side", 8, "encoder.image_size 64 is larger than encoder.resized_side 8,"),
        (
            "data.row_answers",
            257,
            "data.row_answers must be at most data.row_length (256), got ",
        ),
        ("data.row_length", 224, None),
        ("resampler.latents", 256, "data.row_length must exceed resampler.latents (256), got 256"),
        ("mesh.tensor", 0, "mesh.tensor must be positive, or -1 for all remaining devices, got 0"),
        ("data.mixture", (Source("pairs", 0.0),), "data.mixture needs sources of positive weig"),
        ("data.mixture", (), "data.mixture needs sources of positive weight, got ()"),
        ("data.mixture", (Source("pairs"),) * 2, "data.mixture names a source twice: "),
    ],
)
def test_numbers_that_contradict_each_other(name, number, message):
    changed = replaced(KITCHEN, name, number)
    if message is None:
        check_config(changed)
    else:
        with pytest.raises(InputError) as error:
            check_config(changed)
        assert str(error.value).startswith(message)


def test_what_is_accepted_can_be_built():
    for name in ("optimizer.weight_decay", "llama.lora.rank", "loop.watchdog_seconds"):
        changed = replaced(KITCHEN, name, 0)
        check_config(changed)
        abstract_model(changed)


@pytest.mark.parametrize("command", ["train", "evaluate", "aot", "weights"])
@pytest.mark.parametrize("flag", ["--llama.layers=1000000000", "--optimizer.peak-rate=nan"])
def test_every_command_refuses_it_at_once(command, flag, capsys):
    more = ["--benchmark", "nowhere"] if command == "evaluate" else []
    assert main([command, "kitchen", flag, *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    name, _, value = flag[2:].partition("=")
    assert line.startswith(f"stepdiff: error: {name.replace('-', '_')} must be ")
    assert line.endswith(f"got {value}")
