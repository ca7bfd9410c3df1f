"""Opens the language model chosen by a command's options."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from data_prep.text.language_models.base import LanguageModel
from data_prep.text.language_models.endpoint import Endpoint
from data_prep.text.language_models.options import ModelOptions
from data_prep.text.language_models.plugin import open_plugin
from stepdiff_jax.errors import InputError


def open_model(options: ModelOptions) -> LanguageModel:
    """Open the language model that the options name.

    Raises:
        InputError: the kind or CONFIG is unknown, an endpoint has no name, or a plug-in cannot be
            loaded (see `open_plugin`).
    """
    if ":" in options.kind:
        return open_plugin(options)
    if options.kind not in ("endpoint", "own"):
        raise InputError(
            f"--model.kind: must be endpoint, own or MODULE:FUNCTION, got {options.kind!r}"
        )
    if options.options:
        raise InputError(
            f"--model.options {' '.join(options.options)}: --model.kind {options.kind} takes none"
        )
    return _open_endpoint(options) if options.kind == "endpoint" else _open_own(options)


def model_settings(options: ModelOptions, model: LanguageModel) -> dict[str, Any]:
    """What a stage records about its language model, and requires to be the same on resume.

    If the model has an attribute `settings`, it is recorded instead of the options.

    Raises:
        InputError: the attribute is not a mapping.
    """
    found = getattr(model, "settings", None)
    if found is None:
        return options.settings() | ({"options": options.options} if options.options else {})
    if not isinstance(found, Mapping):
        raise InputError(f"--model.kind {options.kind}: settings must be a mapping, got {found!r}")
    return dict(found)


def _open_endpoint(options: ModelOptions) -> LanguageModel:
    if not options.name:
        raise InputError("--model.name is missing: the model that the endpoint serves")
    accepted = ("base_url", "new_tokens", "temperature", "concurrency", "timeout", "attempts")
    fields = {name: value for name, value in asdict(options).items() if name in accepted}
    return Endpoint(model=options.name, **fields)


def _open_own(options: ModelOptions) -> LanguageModel:
    from data_prep.text.language_models.own import OwnLanguageModel
    from stepdiff_jax.config_files import load_experiment
    from stepdiff_jax.inference.trained import untrained_model
    from stepdiff_jax.weights.build import load_tokenizer

    experiment = load_experiment(options.name)
    tokenizer = load_tokenizer(experiment)
    model = untrained_model(experiment)
    return OwnLanguageModel(model, tokenizer, new_tokens=options.new_tokens)
