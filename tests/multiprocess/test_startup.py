"""Processes that differ refuse to start, and say in one line how."""

import dataclasses
import re
import shutil
import subprocess
import sys

import pytest

from launching import environments, write_config
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.processes import Place, read_environment
from stepdiff_jax.training.startup import start_fields
from tiny_experiment import write_tiny_experiment

EXPLICIT = {
    "STEPDIFF_COORDINATOR": "host:1234",
    "STEPDIFF_PROCESSES": "4",
    "STEPDIFF_PROCESS": "3",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    return write_tiny_experiment(tmp_path_factory.mktemp("startup"))


def start(commands: list[list[str]], environments: list[dict[str, str]]) -> list[tuple[int, str]]:
    """Exit code and standard error of `stepdiff train` with each of the arguments."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "launch", "train", *command],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command, environment in zip(commands, environments, strict=True)
    ]
    told = [process.communicate(timeout=120)[1] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, told)]


def errors(told: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Exit codes with the lines that are errors of `stepdiff`."""
    return [
        (code, *(line for line in text.splitlines() if line.startswith("stepdiff: error: ")))
        for code, text in told
    ]


def test_another_configuration_in_one_process(tiny, tmp_path):
    config = str(write_config(tiny, tmp_path))
    commands = [[config], [config], [config, "--optimizer.peak-rate", "0.02"]]
    line = "processes differ: optimizer.peak_rate is 0.01 in process 0, 0.02 in process 2"
    told = errors(start(commands, environments(3)))
    assert told == [(2, f"stepdiff: error: {line}")] * 3


def test_another_number_of_processes_in_one_of_them(tiny, tmp_path):
    config = str(write_config(tiny, tmp_path))
    pair = environments(2)
    pair[1]["STEPDIFF_PROCESSES"] = "4"
    line = "processes differ: processes is 2 in process 0, 4 in process 1"
    assert errors(start([[config]] * 2, pair)) == [(2, f"stepdiff: error: {line}")] * 2


def test_two_processes_with_the_same_number(tiny, tmp_path):
    """They would read the same rows. JAX's own service refuses the one that came first, or both
    where that one has given up on the missing number before."""
    config = str(write_config(tiny, tmp_path))
    (process, _) = environments(2)
    both = [process | {"STEPDIFF_START_SECONDS": "8"}] * 2
    told = start([[config]] * 2, both)
    assert all(code not in (0, 2, 75) for code, _ in told)
    assert any(re.search("newer incarnation|DEADLINE_EXCEEDED", text) for _, text in told)


def test_a_file_that_only_one_process_lacks(tiny, tmp_path):
    """Each host has its own disk; one of them lacks the tokenizer."""
    config = str(write_config(tiny, tmp_path))
    own = dataclasses.replace(
        tiny, weights=dataclasses.replace(tiny.weights, tokenizer=str(tmp_path / "nowhere"))
    )
    other = str(write_config(own, tmp_path / "other"))
    told = errors(start([[config], [other]], environments(2)))
    assert [code for code, _ in told] == [2, 2]
    for _, line in told:
        assert line.startswith("stepdiff: error: only process 1 finds: ")
        assert "/nowhere: cannot be read" in line


def test_what_is_compared_names_data_that_differs(tiny, tmp_path):
    copy = shutil.copytree(tiny.data.directory, tmp_path / "data")
    moved = dataclasses.replace(tiny, data=dataclasses.replace(tiny.data, directory=str(copy)))
    whole = start_fields(moved, 2)
    (records,) = copy.glob("stepdiff_pairs/pairs/*/*train*")
    records.write_bytes(records.read_bytes()[:-1])
    cut = start_fields(moved, 2)
    assert {name for name in whole if whole[name] != cut[name]} == {"bytes of pairs"}
    (metadata,) = copy.glob("stepdiff_pairs/sequences/*/metadata.json")
    text = metadata.read_text()
    source = text.split('"source": "')[1][:8]
    metadata.write_text(text.replace(source, "00000000"))
    other = start_fields(moved, 2)
    assert {name for name in cut if cut[name] != other[name]} == {"digest of sequences"}


def test_environment_of_one_process_and_of_several():
    assert read_environment({"HOME": "/"}) is None
    assert read_environment(EXPLICIT) == Place("host:1234", 4, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"STEPDIFF_PROCESS": ""}, "STEPDIFF_COORDINATOR is set, but STEPDIFF_PROCESS is not"),
        ({"STEPDIFF_PROCESS": "4"}, "STEPDIFF_PROCESS must be below STEPDIFF_PROCESSES 4, got 4"),
        ({"STEPDIFF_PROCESSES": "two"}, "STEPDIFF_PROCESSES must be an integer .* got 'two'"),
        ({"STEPDIFF_COORDINATOR": "host"}, "STEPDIFF_COORDINATOR must be HOST:PORT, got 'host'"),
    ],
)
def test_impossible_environment_is_an_input_error(change, message):
    with pytest.raises(InputError, match=message):
        read_environment(EXPLICIT | change)
