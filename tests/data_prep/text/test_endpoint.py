"""Endpoints that are down, busy, broken or silent cost a record at most, never the run."""

import socket

import pytest

from data_prep.text.language_models.base import Completion, LanguageModelError, Prompt
from data_prep.text.language_models.endpoint import Endpoint
from faulty_server import serve
from stepdiff_jax.errors import InputError

FAST = {"model": "m", "first_wait": 0.01, "timeout": 0.5}


def ask(address: str, *texts: str, **options) -> list[Completion | LanguageModelError]:
    endpoint = Endpoint(address, **{**FAST, **options})
    return list(endpoint.complete([Prompt(text) for text in texts]))


@pytest.mark.parametrize("fault", [429, 500, 503, "garbage", "shape", "hang", "reset"])
def test_a_passing_fault_is_tried_again(fault):
    with serve(str.upper, [fault]) as (address, served):
        assert ask(address, "salt") == [Completion("SALT", 7, 3)]
    assert served.prompts == ["salt", "salt"]


@pytest.mark.parametrize("fault", [429, 500, "garbage", "hang"])
def test_a_lasting_fault_is_an_error_of_that_prompt_only(fault):
    with serve(str.upper, [fault] * 3) as (address, served):
        error, good = ask(address, "salt", "chili", attempts=3, concurrency=1)
    assert isinstance(error, LanguageModelError)
    assert good == Completion("CHILI", 7, 3)
    assert served.prompts == ["salt"] * 3 + ["chili"]


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refused_request_is_not_repeated(status):
    with serve(str.upper, [status]) as (address, served):
        (error,) = ask(address, "salt")
    assert str(status) in str(error)
    assert len(served.prompts) == 1


def test_a_server_that_is_down_is_an_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (error,) = ask(f"http://127.0.0.1:{port}/v1", "salt", attempts=2)
    assert isinstance(error, LanguageModelError)


def test_answers_keep_their_order_and_requests_their_limit():
    texts = [f"word{number}" for number in range(12)]
    with serve(str.upper, ["slow"] * 12) as (address, served):
        answers = ask(address, *texts, concurrency=3)
    assert [answer.text for answer in answers] == [text.upper() for text in texts]
    assert 1 < served.most <= 3


def test_an_address_without_http_is_bad_input():
    with pytest.raises(InputError, match="base_url"):
        Endpoint("localhost:8000", "m")
