"""Halves of characters in JSON: replaced in texts, kept where they stand for bytes of a name."""

import io
import json
import os

import ijson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.json_files import is_time
from data_prep.sources.json_stream import WellFormedJson
from data_prep.text.language_models.base import Completion
from data_prep.text.question.answers import parse_questions
from stepdiff_jax.errors import InputError
from stepdiff_jax.json_files import read_object
from stepdiff_jax.jsonl import read_jsonl
from stepdiff_jax.surrogates import without_surrogates

HALVES = st.text(st.sampled_from('a\\"u é😀\ud83d\udc80\ude00\x00'), max_size=12)


@given(st.lists(HALVES), st.integers(1, 20))
def test_a_stream_of_json_is_what_json_says(texts, size):
    written = json.dumps(texts)
    expected = [without_surrogates(text) for text in json.loads(written)]
    stream = WellFormedJson(io.BytesIO(written.encode()))
    read = b"".join(iter(lambda: stream.read(size), b""))
    assert json.loads(read) == expected
    parsed = ijson.items(WellFormedJson(io.BytesIO(written.encode())), "item", buf_size=size)
    assert list(parsed) == expected


def test_texts_of_json_lines_can_be_written_and_names_of_files_are_the_same(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    row = {"narration": "so good \ud83d", "video": name, "of": [{"\ude00": "\ude00"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    (line,) = read_jsonl(tmp_path / "a.jsonl")
    assert line.fields == {
        "narration": "so good \ufffd",
        "video": name,
        "of": [{"\ufffd": "\ufffd"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(row))
    assert read_object(tmp_path / "a.json") == line.fields


def test_an_answer_that_was_cut_in_a_character(tmp_path):
    assert Completion("nice \ud83d").text == "nice \ufffd"
    text = r'[{"question": "what \ud83d?", "answer": "\ude00 this"}]'
    assert parse_questions(text, 1) == [("what \ufffd?", "\ufffd this")]


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_could_not_be_written_again_is_named(tmp_path, number):
    (tmp_path / "a.jsonl").write_text(f'{{"a": 1}}\n{{"a": 1, "b": [{{"c": {number}}}]}}\n')
    with pytest.raises(InputError, match=r"a\.jsonl, line 2: field 'b' must hold finite numbers"):
        read_jsonl(tmp_path / "a.jsonl")
    assert not is_time(json.loads(number))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": {"b": 1, "b": 2}}', "field 'b' appears twice in one object"),
        (b'{"a": "\xe9"}', "is not UTF-8 at byte 7"),
        (b'{"a": ' + b"[" * 100_000, "is not JSON: maximum recursion"),
        (b'{"a": ' + b"1" * 5000 + b"}", "is not JSON: Exceeds the limit"),
    ],
)
def test_a_json_file_that_cannot_be_read_is_named(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json: {message}"):
        read_object(tmp_path / "a.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_object(tmp_path)
