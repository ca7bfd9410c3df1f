"""HowTo100M's narration, and clips.jsonl joined from it and HT-Step."""

import copy
import json

import pytest

from data_prep.clips import write_clips
from data_prep.howto100m import Sentence, narration, read_captions
from htstep_files import CAPTIONS, write_htstep
from record_sources import read_lines
from stepdiff_jax.errors import InputError


@pytest.fixture
def captions(tmp_path):
    path = tmp_path / "raw_caption.json"
    path.write_text(json.dumps(CAPTIONS))
    return path


@pytest.fixture
def videos(tmp_path):
    directory = tmp_path / "videos"
    directory.mkdir()
    for name in ("-a_b-c1.mp4", "zzz.webm"):
        (directory / name).touch()
    return directory


def test_sentences_come_in_order_of_start(captions):
    read = read_captions(captions, {"-a_b-c1", "zzz"})
    assert list(read) == ["-a_b-c1"]
    assert [sentence.start for sentence in read["-a_b-c1"]] == [0.0, 4.0, 10.0, 19.0, 35.0]
    assert read["-a_b-c1"][-1] == Sentence("boil it", 35.0, 36.5)


def test_narration_is_what_overlaps_the_clip_and_its_margin(captions):
    sentences = read_captions(captions, {"-a_b-c1"})["-a_b-c1"]
    assert narration(sentences, 3.25, 20.125) == "we chop and chop"
    assert narration(sentences, 3.0, 19.0) == "we chop"
    assert narration(sentences, 3.25, 20.125, margin=0.5) == "hello there we chop and chop"
    assert narration(sentences, 40.0, 50.0, margin=3.5) == ""
    assert narration(sentences, 40.0, 50.0, margin=3.6) == "boil it"
    with pytest.raises(InputError, match="margin must not be negative, got -1"):
        narration(sentences, 1.0, 2.0, margin=-1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": [1.0]}, "field 'end' must hold 5 times, one a text, got 1"),
        ({"start": [0, 1, 2, 3, "4"]}, "field 'start' must hold finite numbers, got '4'"),
        ({"start": [0, 1, 2, 3, float("nan")]}, "field 'start' must hold finite numbers, got nan"),
        ({"text": ["a", "b", "c", "d", None]}, "field 'text' must hold strings, got None"),
        ({"text": "abcde"}, "field 'text' must be of type list"),
    ],
)
def test_bad_captions_name_file_video_field_and_value(captions, change, message):
    broken = copy.deepcopy(CAPTIONS)
    broken["-a_b-c1"].update(change)
    captions.write_text(json.dumps(broken))
    with pytest.raises(InputError, match=rf"raw_caption\.json, video '-a_b-c1': {message}"):
        read_captions(captions, {"-a_b-c1"})


def test_clips_hold_what_both_files_say(tmp_path, captions, videos):
    htstep = write_htstep(tmp_path / "htstep")
    assert write_clips(htstep, captions, videos, tmp_path / "out") == 3
    first, second, third = read_lines(tmp_path / "out/clips.jsonl")
    assert first == {
        "clip": "-a_b-c1_3.25_20.125",
        "video": "../videos/-a_b-c1.mp4",
        "start": 3.25,
        "end": 20.125,
        "keystep": "Chop onions, finely.",
        "activity": "Make Soup",
        "narration": "we chop and chop",
        "split": "train",
    }
    assert second["narration"] == "boil it"
    assert (third["video"], third["narration"]) == ("../videos/zzz.webm", "")


def test_a_video_with_no_file_is_named(tmp_path, captions, videos):
    (videos / "zzz.webm").unlink()
    with pytest.raises(InputError, match=r"videos: no file of video 'zzz' \(zzz\.mp4\)"):
        write_clips(write_htstep(tmp_path / "htstep"), captions, videos, tmp_path / "out")
    assert not (tmp_path / "out").exists()
