"""Vicuna: one file of families, Llama-2's network and tokenizer in another template."""

from dataclasses import replace

import pytest

from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from stepdiff_jax.data.chat import in_template
from stepdiff_jax.data.packing import lay_out
from stepdiff_jax.data.prompts import Conversation, Text, Turn, answer_text, pair_conversation
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family, find_size

VICUNA = find_family("vicuna")


def spell(conversation: Conversation) -> str:
    chat = in_template(conversation, VICUNA)
    parts = (*chat.prefix, *(chat.branches[0] if chat.branches else ()))
    return "".join(
        s.text + "</s>" * s.end if isinstance(s, Text) else f"{{{s.clip}}}" for s in parts
    )


def test_the_pair_prompt_in_vicunas_template():
    spelled = spell(pair_conversation(8, 3, [("what differs?", answer_text("a pan"))]))
    assert spelled == (
        "You are a helpful AI assistant that answers questions about a pair of videos. Answer in a "
        "single sentence. Here is the first video:{8}. Here is the second video:{3}. USER: what "
        "differs? ASSISTANT:a pan</s>"
    )


def test_a_second_question_follows_the_answer():
    turns = (Turn("user"), Text("one"), Turn("assistant"), answer_text("two"))
    again = (Turn("user"), Text("three"), Turn("assistant"))
    assert spell(Conversation(turns, (again,))) == (
        "USER: one ASSISTANT:two</s>USER: three ASSISTANT:"
    )
    with pytest.raises(InputError, match="Vicuna's chat template has no user turn after user"):
        spell(Conversation((Turn("user"), Text("one"), Turn("user"))))


def test_ids_are_those_of_its_own_template():
    conversation = pair_conversation(0, 1, [("what differs?", answer_text("a pan"))])
    tokenizers = [Tokenizer(STAND_INS / "tokenizer.model", name) for name in ("vicuna", "llama2")]
    ids = [lay_out(conversation, one, 2).rows.tokens.tolist() for one in tokenizers]
    assert ids[0] != ids[1]
    assert tokenizers[0].stops == tokenizers[1].stops


def test_its_sizes_are_llama_2s():
    for size in ("7b", "13b"):
        vicuna, llama = (find_size(f"{family}-{size}") for family in ("vicuna", "llama2"))
        assert vicuna.config == replace(llama.config, family="vicuna")
        assert vicuna.presets == llama.presets
