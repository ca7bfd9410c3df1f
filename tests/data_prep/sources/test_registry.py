"""Sources by name: all are read by the same command, and a flag too many or too few is named."""

import json

import pytest

from data_prep.sources.base import Annotated, Segment
from data_prep.sources.registry import SOURCES, open_source
from data_prep.stage import Rejected
from htstep_files import write_htstep
from launch.cli import main
from record_sources import read_lines
from stepdiff_jax.errors import InputError

TURNS = [{"from": "human", "value": "<video>\n<video>\nwhy?"}, {"from": "gpt", "value": "so"}]
ITEM = {
    "video": ["a.mp4", "b/c.mp4"],
    "segments": [[0, 5], [2.5, 10]],
    "conversations": TURNS,
    "clips": [{"keystep": "mix", "narration": "we mix"}, {}],
}


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "items.json"
    unknown = {**ITEM, "segments": None}
    swapped = {**ITEM, "video": ["d.mp4", "a.mp4"], "segments": [[1, 9], [0, 5]]}
    path.write_text(json.dumps([ITEM, swapped, {"video": "a.mp4"}, unknown]))
    return path


def test_spans_of_llavas_items_become_clips_once_each(tmp_path, items):
    arguments = ["--source", "llava", "--annotations", str(items), "--destination", str(tmp_path)]
    assert main(["prep", "clips", *arguments]) == 0
    clips = read_lines(tmp_path / "clips.jsonl")
    assert [row["clip"] for row in clips] == ["a_0_5", "b-c_2.5_10", "d_1_9"]
    assert clips[0] == {
        "clip": "a_0_5",
        "video": "a.mp4",
        "start": 0.0,
        "end": 5.0,
        "keystep": "mix",
        "activity": "",
        "narration": "we mix",
        "split": "train",
    }
    summary = json.loads((tmp_path / "clips.summary.json").read_text())
    assert summary["dropped"] == {"item is of another form": 1, "segment is not given": 2}


def test_htstep_is_the_same_by_either_flag(tmp_path):
    htstep = str(write_htstep(tmp_path / "htstep"))
    for name, flags in (
        ("one", ["--htstep", htstep]),
        ("other", ["--source", "htstep", "--annotations", htstep]),
    ):
        assert main(["prep", "clips", *flags, "--destination", str(tmp_path / name)]) == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("", "either --htstep DIR or --source NAME --annotations DIR is needed"),
        (
            "--htstep a --annotations b",
            "--htstep a: cannot be combined with --source or --annotations",
        ),
        (
            "--htstep a --source llava",
            "--htstep a: cannot be combined with --source or --annotations",
        ),
        ("--source other --annotations a", "--source 'other': must be one of benchmark, captain"),
    ],
)
def test_wrong_flags_are_named(tmp_path, capsys, flags, message):
    assert main(["prep", "clips", "--destination", str(tmp_path), *flags.split()]) == 2
    assert message in capsys.readouterr().err


def test_a_source_is_what_it_gives(tmp_path, monkeypatch):
    """What docs/extending.md says: a class with settings and annotations, and its line."""

    class Two:
        settings = {"of": "two"}  # noqa: RUF012

        def __init__(self, path):
            self.path = path

        def annotations(self):
            segment = Segment("v", 1, 9, "mix", "mix", "cake", "train")
            yield Annotated({"video": "v", "place": 0}, ("v.avi",), segment)
            wrong = Rejected("no reason", "at all")
            yield Annotated({"video": "v", "place": 1}, ("v.avi",), wrong)

    monkeypatch.setitem(SOURCES, "two", Two)
    arguments = ["--source", "two", "--annotations", str(tmp_path), "--destination", str(tmp_path)]
    assert main(["prep", "clips", *arguments]) == 0
    (row,) = read_lines(tmp_path / "clips.jsonl")
    assert (row["clip"], row["video"]) == ("v_1_9", "v.avi")
    summary = json.loads((tmp_path / "clips.summary.json").read_text())
    assert summary["dropped"] == {"no reason": 1}
    assert summary["settings"]["of"] == "two"
    with pytest.raises(
        InputError, match="must be one of benchmark, captaincook4d, htstep, llava, two"
    ):
        open_source("three", tmp_path)
