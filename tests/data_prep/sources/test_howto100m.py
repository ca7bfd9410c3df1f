"""HowTo100M's narration in its three forms, one video in memory at a time."""

import copy
import json
import tracemalloc

import pytest

from data_prep.sources.howto100m import Sentence, narration, stream_captions
from data_prep.stage import Rejected
from htstep_files import CAPTIONS
from stepdiff_jax.errors import InputError

VIDEO = "-a_b-c1"


@pytest.fixture
def captions(tmp_path):
    path = tmp_path / "raw_caption.json"
    path.write_text(json.dumps(CAPTIONS))
    return path


def test_sentences_come_in_order_of_start(captions):
    read = dict(stream_captions(captions, {VIDEO, "zzz"}))
    assert list(read) == [VIDEO]
    assert [sentence.start for sentence in read[VIDEO]] == [0.0, 4.0, 10.0, 19.0, 35.0]
    assert read[VIDEO][-1] == Sentence("boil it", 35.0, 36.5)


def test_aligned_captions_are_at_one_moment(tmp_path):
    path = tmp_path / "htm_aa.csv"
    path.write_text('vid,timestamp,text\nb,2,"no, not"\na,9.5,then\nb,1.5,hello\na,3,first\n')
    assert dict(stream_captions(path, {"a"})) == {
        "a": [Sentence("first", 3.0, 3.0), Sentence("then", 9.5, 9.5)]
    }
    sentences = dict(stream_captions(path, {"b"}))["b"]
    assert narration(sentences, 1, 3) == "hello no, not"
    assert narration(sentences, 1.75, 3) == "no, not"


def test_narration_is_what_overlaps_the_clip_and_its_margin(captions):
    sentences = dict(stream_captions(captions, {VIDEO}))[VIDEO]
    assert narration(sentences, 3.25, 20.125) == "we chop and chop"
    assert narration(sentences, 3.0, 19.0) == "we chop"
    assert narration(sentences, 3.25, 20.125, margin=0.5) == "hello there we chop and chop"
    assert narration(sentences, 40.0, 50.0, margin=3.5) == ""
    assert narration(sentences, 40.0, 50.0, margin=3.6) == "boil it"
    with pytest.raises(InputError, match="margin must not be negative, got -1"):
        narration(sentences, 1.0, 2.0, margin=-1)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"end": [1.0]}, "5 texts, 5 starts, 1 ends"),
        ({"start": [0, 1, 2, 3, "4"]}, "'4' is no time in seconds"),
        ({"text": ["a", "b", "c", "d", None]}, "None is no text"),
        ({"text": "abcde"}, "must be lists"),
    ],
)
def test_bad_captions_of_one_video_lose_no_other(captions, change, detail):
    broken = copy.deepcopy(CAPTIONS)
    broken[VIDEO].update(change)
    broken["good"] = {"text": ["x"], "start": [0], "end": [1]}
    captions.write_text(json.dumps(broken))
    read = dict(stream_captions(captions, {VIDEO, "good"}))
    assert isinstance(read[VIDEO], Rejected)
    assert detail in read[VIDEO].detail
    assert read["good"] == [Sentence("x", 0.0, 1.0)]


@pytest.mark.parametrize("name", ["a.json", "a.csv"])
def test_bytes_that_are_not_utf8_lose_their_video_only(tmp_path, name):
    path = tmp_path / name
    text = {
        "a.json": '{"a": {"text": ["sauté"], "start": [0], "end": [1]}, '
        '"b": {"text": ["stir \\u00e9"], "start": [0], "end": [1]}}',
        "a.csv": "vid,timestamp,text\na,0,sauté\nb,0,stir é\n",
    }[name]
    good = text.replace("stir é", "stir").encode("latin-1")
    path.write_bytes(good)
    read = dict(stream_captions(path, {"a", "b"}))
    assert isinstance(read["a"], Rejected)
    assert read["a"].kind == "captions are not UTF-8"
    assert read["b"][0].text.startswith("stir")


@pytest.mark.parametrize("text", ['{"a": {"text": [', "[]", "", "{}", '{"a": nonsense}'])
def test_a_file_that_is_no_json_object_is_named(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.json: (is not JSON|must hold a non-empty)"):
        dict(stream_captions(path, {"a"}))
    with pytest.raises(InputError, match=r"b\.json: cannot be read"):
        dict(stream_captions(tmp_path / "b.json", {"a"}))


def test_a_csv_without_its_columns_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("video,text\n")
    with pytest.raises(InputError, match=r"a\.csv: has no column 'timestamp'"):
        dict(stream_captions(tmp_path / "a.csv", {"a"}))


@pytest.mark.parametrize(
    ("row", "kind", "detail"),
    [
        ('a,5,"then stir”', "captions are of another form", "line 3: a quote is not closed"),
        (
            "a,5,then, stir",
            "captions are of another form",
            "line 3: the header has 3 columns, this r",
        ),
        (
            "a,5",
            "captions are of another form",
            "line 3: the header has 3 columns, this row 2: 'te",
        ),
        ("a,1_0,stir", "captions are of another form", "line 3: '1_0' is no time in seconds"),
        ("a,nan,stir", "captions are of another form", "line 3: 'nan' is no time in seconds"),
        ("a,5,st\0ir", "captions are of another form", "line 3: holds a NUL byte"),
        ("a,5,st\udce9ir", "captions are not UTF-8", "line 3: is not UTF-8"),
    ],
)
def test_a_damaged_row_loses_its_video_only(tmp_path, row, kind, detail):
    path = tmp_path / "a.CSV"
    text = f"vid,timestamp,text\na,1,x\n{row}\nb,2,y\n"
    path.write_bytes(text.encode(errors="surrogateescape"))
    read = dict(stream_captions(path, {"a", "b"}))
    assert (read["a"].kind, read["a"].detail[: len(detail)]) == (kind, detail)
    assert read["b"] == [Sentence("y", 2.0, 2.0)]
    assert dict(stream_captions(path, {"b"})) == {"b": read["b"]}


def test_a_damaged_row_of_nobody_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("vid,timestamp,text\na,1,we stir\nand stir\nb,2,y\n")
    with pytest.raises(
        InputError,
        match=r"a\.csv, line 3: the header has 3 columns, this row 1: 'timestamp' is missing",
    ):
        dict(stream_captions(tmp_path / "a.csv", {"a"}))


def test_captions_of_json_that_are_twice_or_hold_half_a_character(tmp_path):
    path = tmp_path / "a.json"
    good = '{"text": ["so \\ud83d"], "start": [0], "end": [1]}'
    path.write_text(f'{{"a": {good}, "b": {good}, "b": {good}, "c": {good}, "c": 1}}')
    found = list(stream_captions(path, {"a", "b"}))
    assert found[0] == ("a", [Sentence("so \ufffd", 0, 1)])
    assert found[-1] == (
        "b",
        Rejected("captions are of another form", "the file has this video twice"),
    )
    assert len(found) == 3


def test_a_large_file_is_never_whole_in_memory(tmp_path):
    path = tmp_path / "raw_caption.json"
    video = {"text": ["some words " * 20] * 100, "start": [1] * 100, "end": [2] * 100}
    with path.open("w") as file:
        file.write("{")
        for number in range(400):
            file.write(f'"{number}": {json.dumps(video)}, ')
        file.write('"last": {"text": ["x"], "start": [0], "end": [1]}}')
    tracemalloc.start()
    assert dict(stream_captions(path, {"last"})) == {"last": [Sentence("x", 0, 1)]}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 10
