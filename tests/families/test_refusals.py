"""What is of another family is refused in one line, never read as Llama-2."""

import json

import pytest

from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from llama3_files import TEMPLATE, write_llama3_tokenizer
from llama_files import config_json, write_directory
from references.llama import CASES
from references.models import SENTENCES
from stepdiff_jax.config import Experiment, LlamaConfig, WeightsConfig
from stepdiff_jax.data.chat import in_template
from stepdiff_jax.data.chat_file import check_chat_template
from stepdiff_jax.data.prompts import Conversation, Text, Turn
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import family_names, find_family, find_size
from stepdiff_jax.weights.build import load_tokenizer
from stepdiff_jax.weights.modules import plan_llama

LLAMA_2_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set "
    "system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set "
    "system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 "
    "and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + "
    "'\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}"
    "{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + "
    "' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + "
    "eos_token }}{% endif %}{% endfor %}"
)
"""Of Llama-2 7B chat, without its check that roles alternate."""


def line(error: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_unknown_families_and_sizes_are_named_with_those_that_there_are():
    assert {"llama2", "llama3"} <= set(family_names())
    with pytest.raises(InputError) as error:
        find_family("llama4")
    known = ", ".join(family_names())
    assert line(error) == f"llama.family: unknown family 'llama4'; known: {known}"
    for name in ("llama3-9b", "llama3", "gemma-2b", "common-base"):
        with pytest.raises(InputError, match=f"unknown size '{name}'; known: llama2-7b, "):
            find_size(name)


@pytest.mark.parametrize("kind", ["yarn", "linear", "dynamic", "longrope"])
@pytest.mark.parametrize("family", ["llama2", "llama3"])
def test_unknown_scalings(kind, family, tmp_path):
    case = {"llama2": "grouped_query", "llama3": "llama3"}[family]
    stored = config_json(CASES[case]) | {"rope_parameters": {"rope_type": kind, "factor": 2.0}}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match=f"frequencies of type '{kind}'; family {family} has "):
        find_family(family).read_config(tmp_path)


def test_a_llama_3_directory_is_not_read_as_llama_2(tmp_path):
    config = CASES["llama3"]
    path = write_directory(tmp_path / "hf", config)
    plan_llama(config, path)
    fields = {"family": "llama2", "rope_scaling": LlamaConfig().rope_scaling}
    with pytest.raises(InputError) as error:
        plan_llama(LlamaConfig(**(vars(config) | fields)), path)
    assert line(error) == (
        f"{path}/config.json: rotary frequencies of type 'llama3'; family llama2 has only 'default'"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factor": 32.0}, "factor is 32.0, the experiment's llama.rope_scaling.factor is 8.0"),
        ({"low_freq_factor": None}, "low_freq_factor is None, expected float"),
        (
            {"original_max_position_embeddings": 4096},
            "original_max_position_embeddings is 4096, the experiment's "
            "llama.rope_scaling.original_positions is 8192",
        ),
        (
            {"rope_type": "default"},
            "rope_type is 'default', the experiment's llama.rope_scaling.kind is 'llama3'",
        ),
    ],
)
@pytest.mark.parametrize("version", [4, 5])
def test_a_scaling_that_disagrees_is_named_with_both_values(change, message, version, tmp_path):
    config = CASES["llama3"]
    path = write_directory(tmp_path / "hf", config)
    stored = config_json(config, version=version)
    stored["rope_scaling" if version == 4 else "rope_parameters"] |= change
    (path / "config.json").write_text(json.dumps(stored))
    with pytest.raises(InputError) as error:
        plan_llama(config, path)
    found, _, flags = line(error).partition("; for these weights: ")
    assert found == f"{path}/config.json: {message}"
    assert "expected" in message or flags.startswith("--llama.rope-scaling.")


def test_tokenizers_of_the_other_family(tmp_path):
    llama3 = write_llama3_tokenizer(tmp_path, SENTENCES)
    with pytest.raises(InputError, match=r"json: is byte-level BPE, the family's is BPE of Sent"):
        Tokenizer(llama3, "llama2")
    with pytest.raises(InputError, match=r"tokenizer\.model: not a tokenizer\.json; Llama-3's"):
        Tokenizer(STAND_INS / "tokenizer.model", "llama3")
    stored = json.loads(llama3.read_text())
    stored["added_tokens"] = [
        token for token in stored["added_tokens"] if token["content"] != "<|eom_id|>"
    ]
    llama3.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"has no token '<\|eom_id\|>', so it is not Llama-3's"):
        Tokenizer(llama3, "llama3")


def test_metas_tiktoken_file_is_refused_with_what_to_take_instead(tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_text("IQ== 0\nIg== 1\nIw== 2\n")
    with pytest.raises(InputError) as error:
        Tokenizer(path, "llama3")
    assert "Meta's tiktoken vocabulary; Llama-3's tokenizer is read from the tokenizer.json" in (
        line(error)
    )
    with pytest.raises(
        InputError, match=r"a tiktoken vocabulary, like Llama-3's, but llama\.family"
    ):
        Tokenizer(path, "llama2")


def test_another_chat_template_beside_the_tokenizer(tmp_path):
    llama3 = write_llama3_tokenizer(tmp_path, SENTENCES, template=LLAMA_2_TEMPLATE)
    experiment = Experiment(
        "x",
        llama=LlamaConfig(vocabulary_size=400, family="llama3"),
        weights=WeightsConfig(tokenizer=str(llama3)),
    )
    with pytest.raises(InputError, match=r"its chat template is not that of llama\.family llama3"):
        load_tokenizer(experiment)
    check_chat_template(tmp_path, find_family("llama2"))
    for template, message in (
        ("{{ raise_exception('no system') }}", "its chat template fails: no system"),
        ("{% if %}", "its chat template fails: "),
        (TEMPLATE.replace("eot_id", "eom_id"), "not that of llama.family llama3: it renders "),
    ):
        (tmp_path / "chat_template.jinja").write_text(template)
        with pytest.raises(InputError) as error:
            load_tokenizer(experiment)
        assert message in line(error)


def test_a_turn_that_the_template_does_not_have():
    conversation = Conversation((Turn("system"), Text("x"), Turn("assistant")))
    with pytest.raises(InputError, match="Llama-2's chat template has no assistant turn after sys"):
        in_template(conversation, find_family("llama2"))


@pytest.mark.parametrize("size", ["1b", "8b", "70b"])
def test_metas_params_are_completed_from_the_published_size(size, tmp_path):
    family = find_family("llama3")
    config = family.sizes[size].config
    params = {
        "dim": config.width,
        "n_layers": config.layers,
        "n_heads": config.heads,
        "n_kv_heads": config.kv_heads,
        "norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "use_scaled_rope": True,
    }
    path = tmp_path / "params.json"
    read = (config.vocabulary_size, config.mlp_width)
    assert family.read_params(path, params, *read) == config
    plain = family.read_params(path, params | {"use_scaled_rope": False}, *read)
    assert not plain.rope_scaling.kind and not plain.tied_embeddings
    with pytest.raises(InputError) as error:
        family.read_params(path, params | {"n_layers": 7}, *read)
    assert f"{path}: use_scaled_rope is true, but its sizes match none of 1b, 3b" in line(error)
    with pytest.raises(InputError, match=r"use_scaled_rope is true, but llama\.family is llama2"):
        find_family("llama2").read_params(path, params, *read)
