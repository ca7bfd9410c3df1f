"""Client for OpenAI-compatible endpoints (`POST BASE/chat/completions`), in pure Python."""

import http.client
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from data_prep.text.language_models.base import Completion, LanguageModelError, Prompt
from stepdiff_jax.errors import InputError

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which a retry may succeed."""
_MOST_WAIT = 60.0
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Endpoint:
    """A served model.

    Raises InputError if `base_url` is not an http(s) URL.
    """

    base_url: str
    """URL up to and including /v1."""
    model: str
    new_tokens: int = 512
    temperature: float = 0.0
    concurrency: int = 8
    """Maximum number of concurrent requests."""
    timeout: float = 120.0
    """Seconds without a response before a request fails."""
    attempts: int = 5
    first_wait: float = 1.0
    """Seconds before the second attempt; doubles with each further one, up to a minute."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable with the API key; if unset, no key is sent."""

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise InputError(f"field 'base_url' must start with http(s)://, got {self.base_url!r}")
        if self.concurrency < 1 or self.attempts < 1:
            raise InputError("fields 'concurrency' and 'attempts' must be at least 1")

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[Completion | LanguageModelError]:
        """See `LanguageModel`; at most `concurrency` requests at once."""
        with ThreadPoolExecutor(self.concurrency) as executor:
            yield from executor.map(self._answer, prompts)

    def _answer(self, prompt: Prompt) -> Completion | LanguageModelError:
        reason = ""
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(min(_MOST_WAIT, self.first_wait * 2 ** (attempt - 1)) * _jitter())
            try:
                return _completion(self._post(prompt))
            except urllib.error.HTTPError as error:
                reason = f"status {error.code}: {_shortened(error)}"
                if error.code not in _PASSING:
                    break
            # OSError: connection refused, reset or timed out.
            except (OSError, ValueError, http.client.HTTPException) as error:
                reason = f"{type(error).__name__}: {error}"
        return LanguageModelError(f"no answer from the endpoint ({reason[:_LONGEST_REASON]})")

    def _post(self, prompt: Prompt) -> Any:
        body = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "max_tokens": self.new_tokens,
            "temperature": self.temperature,
            "stream": False,
        }
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.key_variable):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(
            f"{self.base_url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=self.timeout) as response:
            return json.loads(response.read())


def _completion(reply: Any) -> Completion:
    """Parse a reply; raises ValueError if it does not follow the protocol."""
    try:
        text = reply["choices"][0]["message"]["content"]
        usage = reply.get("usage") or {}
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"the reply has no choices[0].message.content ({error!r})") from error
    if not isinstance(text, str):
        raise ValueError(f"the reply's content is no text but {text!r}")
    prompt_tokens, completion_tokens = (
        int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")
    )
    return Completion(text, prompt_tokens, completion_tokens)


def _jitter() -> float:
    """Random factor, so that clients that failed together do not retry together."""
    return random.uniform(0.8, 1.2)


def _shortened(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(_LONGEST_REASON).decode("utf-8", "replace")
    except OSError:
        return ""
