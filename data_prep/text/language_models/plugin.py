"""A language model that a user brings: a function that is named as MODULE:FUNCTION."""

import inspect
from collections.abc import Sequence

from data_prep.text.language_models.base import LanguageModel
from data_prep.text.language_models.options import ModelOptions
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten
from stepdiff_jax.plugins import load_named, plugin_error

KIND, OPTIONS = "--model.kind", "--model.options"


def open_plugin(options: ModelOptions) -> LanguageModel:
    """The model that FUNCTION of `options.kind`, MODULE:FUNCTION, gives.

    It is called with the options themselves (new_tokens, temperature, ...) and, by name, with the
    NAME=VALUE of `options.options`, whose values are strings.

    Raises:
        InputError: no such module or function, options that it does not take, an exception of its
            own, or something that is not a `LanguageModel`.
    """
    named, values = options.kind, _by_name(options.options)
    function = load_named(named, KIND)
    if not callable(function):
        raise InputError(f"{KIND} {named}: must be a function, is {shorten(function)}")
    try:
        inspect.signature(function).bind(options, **values)
    except TypeError as error:
        raise InputError(f"{OPTIONS} of {named}: {error}") from error
    try:
        model = function(options, **values)
    except Exception as error:  # whatever a user's function does
        raise plugin_error(named, KIND, error) from error
    if not callable(getattr(model, "complete", None)):
        raise InputError(
            f"{KIND} {named}: must give an object with a method complete(prompts), gave "
            f"{shorten(model)}"
        )
    return model


def _by_name(options: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name:
            raise InputError(f"{OPTIONS}: must be NAME=VALUE, got {option!r}")
        if name in values:
            raise InputError(f"{OPTIONS}: {name} is given twice")
        values[name] = value
    return values
