"""SentencePiece tokenizers with Llama's conventions."""

import pytest

from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from stepdiff_jax.data.tokenizer import Tokenizer, train_tokenizer
from stepdiff_jax.errors import InputError

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
