"""Endpoints that are down, busy, broken or silent cost no record: the run stops, to go on later."""

import socket

import pytest

from data_prep.text.language_models.base import Completion, LanguageModelError, Prompt
from data_prep.text.language_models.endpoint import Endpoint
from faulty_server import serve
from stepdiff_jax.errors import InputError, OutsideFailure

FAST = {"model": "m", "first_wait": 0.01, "timeout": 0.5}


def ask(address: str, *texts: str, **options) -> list[Completion | LanguageModelError]:
    endpoint = Endpoint(address, **{**FAST, **options})
    return list(endpoint.complete([Prompt(text) for text in texts]))


@pytest.mark.parametrize("fault", [429, 500, 503, "garbage", "shape", "hang", "reset"])
def test_a_passing_fault_is_tried_again(fault):
    with serve(str.upper, [fault]) as (address, served):
        assert ask(address, "salt") == [Completion("SALT", 7, 3)]
    assert served.prompts == ["salt", "salt"]


@pytest.mark.parametrize("fault", [401, 404, 429, 500, "garbage", "shape", "hang", "reset"])
def test_a_lasting_fault_of_a_server_that_has_answered_stops_after_all_attempts(fault):
    answers = []
    with serve(str.upper, [200] + [fault] * 9) as (address, served):
        endpoint = Endpoint(address, concurrency=1, attempts=3, **{**FAST, "timeout": 0.2})
        with pytest.raises(OutsideFailure, match=f"{address}: no answer") as raised:
            for answer in endpoint.complete([Prompt(text) for text in ("salt", "chili", "leek")]):
                answers.append(answer)
    assert answers == [Completion("SALT", 7, 3)]
    assert served.prompts == ["salt"] + ["chili"] * 3
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("fault", [429, 500, "garbage", "shape", "hang", "reset"])
def test_a_server_that_never_answers_has_a_second_chance_only(fault):
    with serve(str.upper, [fault] * 9) as (address, served), pytest.raises(OutsideFailure):
        ask(address, "salt", "chili", "leek", timeout=0.2)
    assert served.prompts == ["salt"] * 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_is_not_asked_again(status):
    refused = pytest.raises(OutsideFailure, match=f"status {status}")
    with serve(str.upper, [status] * 9) as (address, served), refused:
        ask(address, "salt", "chili")
    assert served.prompts == ["salt"]


def test_a_prompt_that_is_refused_costs_itself_only():
    with serve(str.upper, [400, 200, 200, 413]) as (address, served):
        first, good, last = ask(address, "salt", "chili", "leek", concurrency=1)
    assert isinstance(first, LanguageModelError) and "status 400" in str(first)
    assert good == Completion("CHILI", 7, 3)
    assert isinstance(last, LanguageModelError) and "status 413" in str(last)
    assert len(served.prompts) == 4  # and one to find out whether all are refused


def test_a_server_that_refuses_all_prompts_is_no_fault_of_the_prompts():
    refused = pytest.raises(OutsideFailure, match="status 400")
    with serve(str.upper, [400] * 9) as (address, served), refused:
        ask(address, "salt", "chili")
    assert len(served.prompts) == 2


def test_a_server_that_is_down_stops_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OutsideFailure, match=f"http://127.0.0.1:{port}/v1: no answer .*refused"):
        ask(f"http://127.0.0.1:{port}/v1", "salt", first_wait=1000.0)


def test_answers_keep_their_order_and_requests_their_limit():
    texts = [f"word{number}" for number in range(12)]
    with serve(str.upper, ["slow"] * 12) as (address, served):
        answers = ask(address, *texts, concurrency=3)
    assert [answer.text for answer in answers] == [text.upper() for text in texts]
    assert 1 < served.most <= 3


def test_an_address_without_http_is_bad_input():
    with pytest.raises(InputError, match="base_url"):
        Endpoint("localhost:8000", "m")
