"""Which language model a stage asks and how, as options of its command."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelOptions:
    """The language model, and how it is asked."""

    kind: str = "endpoint"
    """endpoint: a served model; own: the frozen language model of a CONFIG; MODULE:FUNCTION: a
    plug-in."""
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
    options: tuple[str, ...] = ()
    """NAME=VALUE of a plug-in's own options."""

    def settings(self) -> dict[str, Any]:
        """What answers depend on: not how fast or how often a model is asked."""
        fields = {name: getattr(self, name) for name in ("kind", "name", "new_tokens")}
        return {**fields, "temperature": self.temperature}
