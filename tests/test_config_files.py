"""Experiments by name, by path and from config.json; and what is said about wrong ones."""

import dataclasses
import json
import typing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepdiff_jax.config import Experiment, OptimizerConfig
from stepdiff_jax.config_files import (
    CONFIG_FILE,
    config_names,
    flatten,
    from_dict,
    load_experiment,
    read_experiment,
    to_dict,
)
from stepdiff_jax.errors import InputError


def any_of(kind: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Values of the types that the fields of config.py have."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(
            kind, **{member.name: any_of(hints[member.name]) for member in dataclasses.fields(kind)}
        )
    if typing.get_origin(kind) is tuple:
        return st.lists(any_of(typing.get_args(kind)[0]), max_size=3).map(tuple)
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(typing.get_args(kind))
    return {
        str: st.text(),
        bool: st.booleans(),
        int: st.integers(),
        float: st.floats(allow_nan=False),
    }[kind]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_of(Experiment))
def test_json_and_back_is_the_same_experiment(experiment):
    assert from_dict(json.loads(json.dumps(to_dict(experiment))), "config.json") == experiment


@pytest.mark.parametrize("name", config_names())
def test_name_and_path_of_a_config_give_the_same(name):
    path = Path(__file__).parents[1] / "configs" / f"{name}.py"
    assert load_experiment(str(path)) == load_experiment(name)


def test_left_out_fields_have_their_defaults():
    assert from_dict({"name": "x", "optimizer": {"steps": 7}}, "here") == Experiment(
        "x", optimizer=OptimizerConfig(steps=7)
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "here: field 'name' is missing"),
        ([], "here: it must be Experiment, got []"),
        ({"name": 3}, "here: field 'name' must be str, got 3"),
        ({"name": "x", "stepz": 3}, "here: unknown field 'stepz'"),
        ({"name": "x", "mesh": {"dta": 3}}, "here: unknown field 'mesh.dta'"),
        ({"name": "x", "mesh": {"data": 3.5}}, "here: field 'mesh.data' must be int, got 3.5"),
        ({"name": "x", "mesh": {"data": True}}, "here: field 'mesh.data' must be int, got True"),
        (
            {"name": "x", "llama": {"quantization": "int5"}},
            "here: field 'llama.quantization' must be one of '', 'int8', 'int4', got 'int5'",
        ),
        (
            {"name": "x", "data": {"mixture": [{"weight": 1.0}]}},
            "here: field 'data.mixture.0.name' is missing",
        ),
    ],
)
def test_wrong_fields_are_named(fields, message):
    with pytest.raises(InputError) as error:
        from_dict(fields, "here")
    assert str(error.value) == message


def test_unknown_name_lists_what_there_is():
    with pytest.raises(InputError, match=r"^kichen: no config of this name; .*kitchen, "):
        load_experiment("kichen")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("def experiment(:", ", line 1: SyntaxError: "),
        ("x = 1\ny = z", ", line 2: NameError: name 'z' is not defined"),
        ("x = 1", ": AttributeError: "),
        ("def experiment():\n    return 3", ": experiment() must return an Experiment, got 3"),
        (
            "from stepdiff_jax.config import MeshConfig\ndef experiment():\n    MeshConfig(dta=1)",
            ", line 3: TypeError: ",
        ),
    ],
)
def test_wrong_config_files_are_named(tmp_path, program, message):
    path = tmp_path / "mine.py"
    path.write_text(program)
    with pytest.raises(InputError) as error:
        load_experiment(str(path))
    assert str(error.value).startswith(f"{path}{message}")


def test_a_file_may_list_sizes_of_its_own(tmp_path):
    small, base = load_experiment("kitchen@small"), load_experiment("kitchen@base")
    assert base == load_experiment("kitchen")
    assert small.llama.width < base.llama.width
    assert small.loop.run_directory != base.loop.run_directory
    assert small.weights.initial_run != base.weights.initial_run
    assert Path(small.weights.llama).stat().st_size < 2**20
    path = tmp_path / "mine.py"
    path.write_text(
        "from stepdiff_jax.config import Experiment\nSIZES = 'thin', 'wide'\n"
        "def experiment(size='thin'):\n    return Experiment(size)"
    )
    assert load_experiment(f"{path}@wide") == Experiment("wide")
    with pytest.raises(InputError, match="unknown size 'llama2-7b'; it has thin, wide"):
        load_experiment(f"{path}@llama2-7b")


def test_missing_config_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"mine\.py: no such config file"):
        load_experiment(str(tmp_path / "mine.py"))


def test_run_directory_without_its_experiment(tmp_path):
    with pytest.raises(InputError, match=r"config\.json: cannot be read: .*No such file"):
        read_experiment(tmp_path)
    (tmp_path / CONFIG_FILE).write_text("{")
    with pytest.raises(InputError, match=r"config\.json: cannot be read: "):
        read_experiment(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(json.dumps(to_dict(Experiment("x"))))
    assert read_experiment(tmp_path) == Experiment("x")


def test_flat_names_are_the_flags():
    flat = flatten(to_dict(Experiment("x")))
    assert flat["encoder.text.width"] == 768
    assert not any(isinstance(value, dict) for value in flat.values())
