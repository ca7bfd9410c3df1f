"""Client for OpenAI-compatible endpoints (`POST BASE/chat/completions`), in pure Python."""

import http.client
import json
import os
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from data_prep.text.language_models.base import Completion, LanguageModelError, Prompt
from stepdiff_jax.errors import InputError, OutsideFailure

_OF_PROMPT = frozenset({400, 413, 422})
"""HTTP statuses that may be about the prompt: too long, or with a field that is not allowed."""
_LASTING = frozenset({401, 402, 403, 404, 405, 410, 501})
"""HTTP statuses that the same request gets again: a wrong key, model or address."""
_MOST_WAIT = 60.0
_LONGEST_REASON = 200
_TRIAL = Prompt("Answer with the word yes.")


class _NoAnswer(Exception):
    """Why the server gave no answer; `again`: a second attempt at its very first may succeed."""

    def __init__(self, reason: str, *, again: bool):
        super().__init__(reason)
        self.again = again


class _State:
    """What the requests to one server have in common."""

    def __init__(self) -> None:
        self.answered = False
        self.failed = threading.Event()
        self.reason = ""


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

    _state: _State = field(default_factory=_State, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise InputError(f"field 'base_url' must start with http(s)://, got {self.base_url!r}")
        if self.concurrency < 1 or self.attempts < 1:
            raise InputError("fields 'concurrency' and 'attempts' must be at least 1")

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[Completion | LanguageModelError]:
        """See `LanguageModel`; at most `concurrency` requests at once, the very first one alone.

        Raises:
            OutsideFailure: the server cannot be reached, refuses every request, or answers with
                something else than the protocol's; at once if it cannot be reached or refuses,
                after a second attempt if it has never answered, otherwise after `attempts`.
        """
        self._state.failed.clear()
        self._state.reason = ""
        alone = 0
        while alone < len(prompts) and not self._state.answered:
            yield self._answer(prompts[alone])
            alone += 1
        with ThreadPoolExecutor(self.concurrency) as executor:
            yield from executor.map(self._answer, prompts[alone:])

    def _answer(self, prompt: Prompt) -> Completion | LanguageModelError:
        if self._state.failed.is_set():
            raise OutsideFailure(self._state.reason)
        try:
            found = self._attempt(prompt)
            if isinstance(found, LanguageModelError) and not self._state.answered:
                # Is it this prompt, or does the server refuse all?
                trial = self._attempt(_TRIAL)
                if isinstance(trial, LanguageModelError):
                    raise _failure(self.base_url, str(trial))
            self._state.answered = True
        except OutsideFailure as error:
            self._state.reason = self._state.reason or str(error)
            self._state.failed.set()
            raise
        return found

    def _attempt(self, prompt: Prompt) -> Completion | LanguageModelError:
        attempt = 0
        while True:
            attempt += 1
            try:
                return _completion(self._post(prompt))
            except _NoAnswer as error:
                answered = self._state.answered
                most = self.attempts if answered else min(2, self.attempts)
                if attempt >= most or not (answered or error.again):
                    raise _failure(self.base_url, str(error)) from error
            wait = min(_MOST_WAIT, self.first_wait * 2 ** (attempt - 1)) * _jitter()
            if self._state.failed.wait(wait):
                raise OutsideFailure(self._state.reason)

    def _post(self, prompt: Prompt) -> Any:
        """The reply's JSON, or the error about this prompt; raises _NoAnswer."""
        try:
            return self._reply(prompt)
        except urllib.error.HTTPError as error:
            reason = f"status {error.code}: {_shortened(error)}"[:_LONGEST_REASON]
            if error.code in _OF_PROMPT:
                return LanguageModelError(f"the endpoint refused the prompt ({reason})")
            raise _NoAnswer(reason, again=error.code not in _LASTING) from error
        except urllib.error.URLError as error:
            # A timeout while connecting or sending says nothing about the address.
            late = isinstance(error.reason, TimeoutError | ConnectionResetError)
            raise _NoAnswer(str(error.reason), again=late) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
            raise _NoAnswer(reason, again=True) from error

    def _reply(self, prompt: Prompt) -> Any:
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


def _failure(address: str, reason: str) -> OutsideFailure:
    reason = " ".join(reason.split())
    return OutsideFailure(
        f"--model.base-url {address}: no answer from the endpoint ({reason}); starting again "
        "resumes"
    )


def _completion(reply: Any) -> Completion | LanguageModelError:
    """Parse a reply; raises _NoAnswer if it does not follow the protocol."""
    if isinstance(reply, LanguageModelError):
        return reply
    try:
        choice = reply["choices"][0]
        text = choice["message"].get("content")
        usage = reply.get("usage") or {}
        prompt_tokens, completion_tokens = (
            int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")
        )
    except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
        reason = f"the reply has no choices[0].message.content ({error!r})"
        raise _NoAnswer(reason, again=True) from error
    if not isinstance(text, str):
        why = choice.get("finish_reason")
        return LanguageModelError(f"the reply's content is no text but {text!r} ({why})")
    return Completion(text, prompt_tokens, completion_tokens)


def _jitter() -> float:
    """Random factor, so that clients that failed together do not retry together."""
    return random.uniform(0.8, 1.2)


def _shortened(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(_LONGEST_REASON).decode("utf-8", "replace")
    except OSError:
        return ""
