"""Loads a user's language model from a function named MODULE:FUNCTION."""

import inspect
from collections.abc import Sequence

from data_prep.text.language_models.base import LanguageModel
from data_prep.text.language_models.options import ModelOptions
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten
from stepdiff_jax.plugins import load_named, plugin_error

KIND, OPTIONS = "--model.kind", "--model.options"


def open_plugin(options: ModelOptions) -> LanguageModel:
    """Open the model returned by the function that `options.kind` names as MODULE:FUNCTION.

    The function is called with the options (new_tokens, temperature, ...) and with each NAME=VALUE
    of `options.options` as a keyword argument with a string value.

    Raises:
        InputError: the module or function does not exist, does not accept the options, raises an
            exception, or returns something that is not a `LanguageModel`.
    """
    named, values = options.kind, _by_name(options.options)
    function = load_named(named, KIND)
    if not callable(function):
        raise InputError(f"{KIND} {named}: must be a function, got {shorten(function)}")
    try:
        inspect.signature(function).bind(options, **values)
    except TypeError as error:
        raise InputError(f"{OPTIONS} of {named}: {error}") from error
    try:
        model = function(options, **values)
    except Exception as error:  # a user's function may raise anything
        raise plugin_error(named, KIND, error) from error
    if not callable(getattr(model, "complete", None)):
        raise InputError(
            f"{KIND} {named}: must return an object with a method complete(prompts), got "
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
