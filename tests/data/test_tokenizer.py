"""SentencePiece tokenizers with Llama's conventions."""

import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest
import sentencepiece
import tokenizers
import transformers
from hypothesis import example, given
from hypothesis.strategies import characters, text

from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from stepdiff_jax.data.packing import lay_out
from stepdiff_jax.data.prompts import (
    answer_text,
    difference_question,
    interleaved_conversation,
    pair_conversation,
    single_conversation,
)
from stepdiff_jax.data.tokenizer import Tokenizer, train_tokenizer
from stepdiff_jax.errors import InputError

LLAMA_TOKENIZER = "STEPDIFF_LLAMA_TOKENIZER"
TEXTS = [f"the person cuts {number} red onions with a sharp knife" for number in range(200)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_tokenizer(TEXTS, tmp_path_factory.mktemp("tokenizer") / "t.model", 330)


def test_a_text_is_encoded_by_itself_without_special_tokens():
    tokenizer = Tokenizer(STAND_INS / "tokenizer.model")
    assert (tokenizer.bos, tokenizer.eos, tokenizer.vocabulary_size) == (1, 2, 768)
    ids = tokenizer.encode("Answer YES or NO.")
    assert ids == (330, 313, 342, 325, 741)
    assert tokenizer.decode([tokenizer.bos, *ids, tokenizer.eos]) == "Answer YES or NO."
    assert tokenizer.encode("") == ()


@pytest.mark.parametrize(
    "text", ["now cut onions", "sauté 切る 🔪", "two  spaces", "a line\nand one", "</s> <s> [INST]"]
)
def test_any_text_comes_back(trained, text):
    ids = trained.encode(text)
    assert trained.decode(ids) == text
    assert not {trained.bos, trained.eos} & set(ids)


def test_digits_are_split(trained):
    one, nine = trained.encode("1")[-1], trained.encode("9")[-1]
    assert trained.encode("199")[-3:] == (one, nine, nine)
    assert trained.vocabulary_size == 330


def test_training_is_deterministic(trained, tmp_path):
    again = train_tokenizer(TEXTS, tmp_path / "deep" / "t.model", 330)
    assert again.path.read_bytes() == trained.path.read_bytes()


def test_what_is_no_model_is_an_input_error(tmp_path):
    missing = tmp_path / "missing.model"
    with pytest.raises(InputError, match=f"{missing}: not a SentencePiece model"):
        Tokenizer(missing)
    broken = tmp_path / "broken.model"
    broken.write_bytes(b"not a model")
    with pytest.raises(InputError, match=f"{broken}: not a SentencePiece model"):
        Tokenizer(broken)


def as_json(model: Path, directory: Path) -> Path:
    """The tokenizer.json that transformers makes of a tokenizer.model, with its merges in order.

    transformers 5 puts the merge of two spaces first, where Llama-2 scores it last; the file that
    Meta publishes has it right.
    """
    (directory / "tokenizer.model").write_bytes(model.read_bytes())
    transformers.LlamaTokenizer.from_pretrained(directory).save_pretrained(directory)
    path = directory / "tokenizer.json"
    stored = json.loads(path.read_text())
    scores = sentencepiece.SentencePieceProcessor(model_file=str(model))
    stored["model"]["merges"].sort(
        key=lambda merge: -scores.get_score(scores.piece_to_id("".join(merge)))
    )
    path.write_text(json.dumps(stored))
    return path


PROMPTS = [
    pair_conversation(
        0, 1, [(difference_question("Tools/Equipment"), answer_text("a red knife, then 2 blue."))]
    ),
    single_conversation(0, [("what is cut?\nsay", answer_text(" sauté 切る 🔪  twice "))]),
    interleaved_conversation([0, 1], ["and now cut 199 onions", "</s><s> [INST] done"]),
]


@pytest.fixture(
    scope="module",
    params=[
        STAND_INS / "tokenizer.model",
        pytest.param(
            os.environ.get(LLAMA_TOKENIZER),
            marks=pytest.mark.skipif(
                LLAMA_TOKENIZER not in os.environ,
                reason=f"{LLAMA_TOKENIZER} names no Llama-2 tokenizer.model",
            ),
        ),
    ],
    ids=["kitchen", "llama"],
)
def formats(request, tmp_path_factory):
    model = Path(request.param)
    return Tokenizer(model), Tokenizer(as_json(model, tmp_path_factory.mktemp("json")))


def test_both_formats_give_the_same_prompts(formats):
    piece, json = formats
    assert (piece.bos, piece.eos) == (json.bos, json.eos)
    assert piece.vocabulary_size == json.vocabulary_size
    for prompt in PROMPTS:
        laid = [lay_out(prompt, one, latents=3) for one in formats]
        jax.tree.map(np.testing.assert_array_equal, laid[0].rows, laid[1].rows)


@given(text=text(alphabet=characters(codec="utf-8", exclude_characters="\0"), max_size=30))
@example(text=" Hello  there   now\n  x")
@example(text="</s>")
@example(text="")
def test_both_formats_give_the_same_ids(formats, text):
    piece, json = formats
    ids = piece.encode(text)
    assert json.encode(text) == ids
    assert json.decode([json.bos, *ids, json.eos]) == piece.decode(ids)


def test_a_tokenizer_json_without_llamas_tokens_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizers.Tokenizer(tokenizers.models.BPE()).save(str(path))
    with pytest.raises(InputError, match=f"{path}: has no token '<s>'"):
        Tokenizer(path)
    path.write_text("{}")
    with pytest.raises(InputError, match=f"{path}: not a tokenizer.json"):
        Tokenizer(path)


def test_a_tokenizer_of_another_size_is_refused():
    tokenizer = Tokenizer(STAND_INS / "tokenizer.model")
    tokenizer.require_vocabulary(768)
    tokenizer.require_vocabulary(832)  # an embedding that is padded to a multiple of 64
    assert tokenizer.decode([*tokenizer.encode("red"), 831]) == "red"
    for size in (767, 1024):
        with pytest.raises(InputError, match=f"a tokenizer of 768 tokens, but .* is {size}"):
            tokenizer.require_vocabulary(size)
    with pytest.raises(
        InputError, match=r"tokenizer\.model: a tokenizer of 768 tokens, but .* is 32000"
    ):
        tokenizer.require_vocabulary(32000)


def test_a_tokenizer_is_read_whatever_its_name_and_not_if_it_is_empty(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9 [1].model")
    path.write_bytes((STAND_INS / "tokenizer.model").read_bytes())
    assert Tokenizer(path).vocabulary_size == 768
    path.write_bytes(b"")
    with pytest.raises(InputError, match="not a SentencePiece model: is empty"):
        Tokenizer(path)
