"""Which language model a stage asks, as options of its command."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from data_prep.text.language_models.base import LanguageModel
from data_prep.text.language_models.endpoint import Endpoint
from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class ModelOptions:
    """The language model, and how it is asked."""

    kind: Literal["endpoint", "own", "oracle"] = "endpoint"
    """A served model; the frozen language model of a CONFIG; or the kitchen's oracle."""
    base_url: str = "http://localhost:8000/v1"
    """Of the endpoint, up to and with /v1."""
    name: str = ""
    """The endpoint's model, or the CONFIG."""
    new_tokens: int = 512
    temperature: float = 0.0
    concurrency: int = 8
    """Requests that are under way at once."""
    timeout: float = 120.0
    """Seconds that one request may stay silent."""
    attempts: int = 5
    """Requests until an endpoint's failure counts."""
    truth: Path | None = None
    """The kitchen's truth.jsonl, for the oracle."""

    def settings(self) -> dict[str, Any]:
        """What answers depend on: not how fast or how often a model is asked."""
        fields = {name: getattr(self, name) for name in ("kind", "name", "new_tokens")}
        return {**fields, "temperature": self.temperature}


def open_model(options: ModelOptions) -> LanguageModel:
    """The language model that the options name.

    Raises:
        InputError: the endpoint has no name, the oracle has no truth, or the CONFIG is unknown.
    """
    if options.kind == "endpoint":
        if not options.name:
            raise InputError("field 'name' is missing: the model that the endpoint serves")
        taken = ("base_url", "new_tokens", "temperature", "concurrency", "timeout", "attempts")
        fields = {name: value for name, value in asdict(options).items() if name in taken}
        return Endpoint(model=options.name, **fields)
    if options.kind == "oracle":
        if options.truth is None:
            raise InputError("field 'truth' is missing: the kitchen's truth.jsonl")
        from data_prep.kitchen.language_model import OracleLanguageModel
        from data_prep.kitchen.oracle import read_truth

        return OracleLanguageModel(read_truth(options.truth))
    from data_prep.text.language_models.own import OwnLanguageModel
    from stepdiff_jax.config_files import load_experiment
    from stepdiff_jax.inference.trained import inference_mesh
    from stepdiff_jax.weights.build import build_model, load_tokenizer

    experiment = load_experiment(options.name)
    tokenizer = load_tokenizer(experiment)
    model = build_model(experiment, inference_mesh(experiment.mesh))
    return OwnLanguageModel(model, tokenizer, new_tokens=options.new_tokens)
