"""Rotary frequencies in a config.json that more than one version of transformers has saved."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_files import config_json
from references.llama import CASES
from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family

LLAMA_3 = CASES["llama3"]
PARAMETERS = config_json(LLAMA_3)["rope_parameters"]
SCALING = {name: value for name, value in PARAMETERS.items() if name != "rope_theta"}


def read(directory, family="llama3", **fields) -> LlamaConfig:
    stored = config_json(CASES["llama3" if family == "llama3" else "grouped_query"])
    del stored["rope_parameters"]
    (directory / "config.json").write_text(json.dumps(stored | fields))
    return find_family(family).read_config(directory)


@pytest.mark.parametrize(
    "fields",
    [
        {"rope_parameters": PARAMETERS, "rope_scaling": None, "rope_theta": 500_000.0},
        {"rope_parameters": PARAMETERS, "rope_scaling": SCALING},
        {"rope_parameters": SCALING, "rope_theta": 500_000.0},
        {"rope_scaling": SCALING | {"type": "llama3"}, "rope_theta": 500_000},
        {"rope_scaling": {**SCALING, "rope_type": None, "type": "llama3"}, "rope_theta": 5e5},
        {"rope_parameters": {"full_attention": PARAMETERS, "sliding_attention": PARAMETERS}},
        {"rope_parameters": PARAMETERS, "original_max_position_embeddings": 8192},
    ],
)
def test_places_that_agree_are_one(fields, tmp_path):
    found = read(tmp_path, **fields)
    assert (found.rope_theta, found.rope_scaling) == (LLAMA_3.rope_theta, LLAMA_3.rope_scaling)


@pytest.mark.parametrize(
    ("fields", "first", "second"),
    [
        ({"rope_theta": 1e4}, "rope_theta is 10000.0", "rope_parameters.rope_theta is 500000.0"),
        (
            {"rope_scaling": SCALING | {"factor": 32.0}},
            "rope_scaling.factor is 32.0",
            "rope_parameters.factor is 8.0",
        ),
        (
            {"rope_scaling": {"type": "linear", "factor": 8.0}},
            "rope_scaling.type is 'linear'",
            "rope_parameters.rope_type is 'llama3'",
        ),
        (
            {"original_max_position_embeddings": 4096},
            "original_max_position_embeddings is 4096",
            "rope_parameters.original_max_position_embeddings is 8192",
        ),
    ],
)
def test_places_that_disagree_are_named_with_both_values(fields, first, second, tmp_path):
    with pytest.raises(InputError) as error:
        read(tmp_path, **{"rope_parameters": PARAMETERS} | fields)
    message = str(error.value)
    assert message == (
        f"{tmp_path}/config.json: {first}, but {second}; remove the one that is out of date"
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rope_parameters": {"a": PARAMETERS, "b": SCALING}}, "only the same for all layers"),
        ({"rope_parameters": [1]}, r"rope_parameters is \[1\], expected an object"),
        ({"rope_parameters": PARAMETERS | {"partial_rotary_factor": 0.5}}, "only 1.0 is supported"),
        ({"rope_theta": -1.0}, "rope_theta is -1.0, expected a positive float"),
        ({"rope_theta": float("nan")}, "expected a positive float"),
        ({"num_hidden_layers": 2.5}, "num_hidden_layers is 2.5, expected a positive int"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0, expected a positive int"),
        ({"num_attention_heads": 3}, "3 heads, 2 of keys, do not divide hidden_size 32"),
        ({"quantization_config": {"quant_method": "awq"}}, r"quantised \('awq'\)"),
    ],
)
def test_what_is_not_supported_is_refused(fields, told, tmp_path):
    with pytest.raises(InputError, match=told) as error:
        read(tmp_path, **fields)
    assert "\n" not in str(error.value)


@given(theta=st.floats(1.0, 1e9), other=st.floats(1.0, 1e9))
def test_a_theta_is_read_or_both_are_named(tmp_path_factory, theta, other):
    directory = tmp_path_factory.mktemp("theta")
    fields = {"rope_theta": other, "rope_parameters": {"rope_type": "default", "rope_theta": theta}}
    try:
        assert read(directory, family="llama2", **fields).rope_theta == theta == other
    except InputError as error:
        assert theta != other and repr(theta) in str(error) and repr(other) in str(error)
