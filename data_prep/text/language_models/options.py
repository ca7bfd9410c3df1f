"""Command options for the language model of a stage."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelOptions:
    """The language model and its settings."""

    kind: str = "endpoint"
    """endpoint: a served model; own: the frozen language model of a CONFIG; MODULE:FUNCTION: a
    plug-in."""
    base_url: str = "http://localhost:8000/v1"
    """URL of the endpoint, up to and including /v1."""
    name: str = ""
    """The endpoint's model, or a CONFIG."""
    new_tokens: int = 512
    temperature: float = 0.0
    concurrency: int = 8
    """Maximum number of concurrent requests."""
    timeout: float = 120.0
    """Seconds without a response before a request fails."""
    attempts: int = 5
    """Maximum attempts per request to an endpoint."""
    options: tuple[str, ...] = ()
    """Options of a plug-in, NAME=VALUE."""

    def settings(self) -> dict[str, Any]:
        """Options that the answers depend on, without those for speed and retries."""
        fields = {name: getattr(self, name) for name in ("kind", "name", "new_tokens")}
        return {**fields, "temperature": self.temperature}
