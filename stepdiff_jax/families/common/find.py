"""Families and published sizes by name."""

import pkgutil
from importlib import import_module

from stepdiff_jax import families
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Family, Size


def family_names() -> list[str]:
    """Names of the files in `families`, sorted."""
    return sorted(one.name for one in pkgutil.iter_modules(families.__path__) if not one.ispkg)


def find_family(name: str) -> Family:
    """The family that `LlamaConfig.family` names.

    Raises:
        InputError: the name is unknown.
    """
    if name not in family_names():
        raise InputError(
            f"llama.family: unknown family {name!r}; known: {', '.join(family_names())}"
        )
    return import_module(f"stepdiff_jax.families.{name}").FAMILY


def size_names() -> list[str]:
    """Names of all published sizes, family by family: "llama2-7b", ..."""
    return [f"{name}-{size}" for name in family_names() for size in find_family(name).sizes]


def find_size(name: str) -> Size:
    """The published size with a name such as "llama2-70b".

    Raises:
        InputError: the name is unknown.
    """
    family, _, size = name.partition("-")
    if family not in family_names() or size not in find_family(family).sizes:
        raise InputError(f"unknown size {name!r}; known: {', '.join(size_names())}")
    return find_family(family).sizes[size]
