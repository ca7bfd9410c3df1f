"""The page of `prep inspect`: what it shows, what it says is missing, and that it stands alone."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.inspect.sample import choose
from data_prep.inspect.stage import write_page
from data_prep.inspect.stage_files import read_counts, stream_stage
from data_prep.schema.pages import ShownClip
from launch.cli import main
from record_sources import read_lines, write_lines, write_source
from stepdiff_jax.data.video import decode_jpeg
from stepdiff_jax.errors import InputError

EVIL = "<script>alert('x')</script> & \"quotes\" </style>"


class _Page(HTMLParser):
    """Text, the text that is struck through, images, and tags that ask for other files."""

    def __init__(self, document: str):
        super().__init__()
        self.text, self.struck, self.tags = "", [], []
        self.images: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("img", "br", "meta"):
            self._open.append(tag)
        for name, value in attributes:
            if name == "src":
                self.images.append(value)
            elif name in ("href", "xlink:href", "data") and not value.startswith("#"):
                self.links.append(value)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if "del" in self._open:
            self.struck.append(data)


def summary(path: Path, entered: int, left: int, dropped: dict, counts: dict | None = None):
    told = {"in": entered, "out": left, "dropped": dropped, "counts": counts or {}}
    path.write_text(json.dumps(told))


@pytest.fixture
def source(tmp_path) -> Path:
    """All stages of a small source; the filter removed something of every third pair."""
    directory = write_source(tmp_path / "source")
    (directory / "frames.summary.json").unlink()
    clips = read_lines(directory / "clips.jsonl")
    clips[0]["narration"] = EVIL
    write_lines(directory / "clips.jsonl", clips)
    descriptions = [
        {
            "clip": row["clip"],
            "description": f"we cut a {number} onion",
            "actions": ["cutting"],
            "objects": [],
            "dropped": {"actions": {}, "objects": {"a flying car": 0.0125}},
        }
        for number, row in enumerate(clips)
    ]
    write_lines(directory / "descriptions.jsonl", descriptions)
    questions = [
        {**row, "raw": "Q: " + EVIL, "questions": [{"question": EVIL, "answer": "kept answer"}]}
        for row in read_lines(directory / "pairs.jsonl")
    ]
    write_lines(directory / "questions.jsonl", questions)
    filtered = []
    for number, row in enumerate(questions):
        rules = {"found_nowhere": "hammer <b>", "length": "2 words"}
        gone = [{"question": "gone question", "answer": EVIL, "rules": rules}]
        filtered.append({**row, "removed": gone if number % 3 == 0 else []})
    emptied = {**filtered.pop(0), "questions": [], "reason": "no question is left", "detail": ""}
    write_lines(directory / "filtered.jsonl", filtered)
    write_lines(directory / "filtered.quarantine.jsonl", [emptied])
    summary(directory / "clips.summary.json", 20, 15, {"segment is too short": 4, EVIL: 1})
    for number in (1, 2):
        path = directory / f"descriptions.{number}-of-2.summary.json"
        summary(path, 7 + number, 6 + number, {"clip cannot be read": 1})
    counts = {"kept": 137, "removed": 46, "removed by found_nowhere": 46}
    summary(directory / "filtered.summary.json", 138, 137, {"no question is left": 1}, counts)
    return directory


def shown(source: Path, **options) -> _Page:
    destination = source.parent / "page.html"
    write_page(source, destination, **options)
    return _Page(destination.read_text(encoding="utf-8"))


def test_the_page_shows_frames_texts_and_what_was_removed(source):
    page = shown(source, sample=6)
    assert page.tags.count("article") == 6
    assert page.text.count("1 of 2 removed") + page.text.count("1 of 1 removed") == 3
    assert page.text.count("nothing removed") == 3
    # three pairs with a question and an answer gone, and one object that the detector kept out
    assert page.struck.count("gone question") == 3
    assert page.struck.count("a flying car") == 12
    assert "kept answer" not in page.struck
    for text in ("found_nowhere: hammer <b>", "length: 2 words", "kept answer", "0.01"):
        assert text in page.text
    images = [decode_jpeg(base64.b64decode(one.split(",")[1])) for one in page.images]
    assert len(images) == 6 * 2 * 8
    assert {image.shape for image in images} == {(32, 32, 3)}
    assert images[0].mean() > images[7].mean() + 2  # the source's videos darken


def test_text_is_escaped_and_no_other_file_is_asked_for(source):
    page = shown(source, sample=138)
    document = (source.parent / "page.html").read_text(encoding="utf-8")
    assert page.text.count(EVIL) >= 3
    assert "<script" not in document
    assert "script" not in page.tags
    assert all(one.startswith("data:image/jpeg;base64,") for one in page.images)
    assert not page.links
    assert not re.search(r"url\((?!#)|@import", document)
    assert page.tags.count("html") == page.tags.count("main") == 1


def test_the_counts_of_shards_are_added_up_and_missing_stages_are_named(source):
    page = shown(source, sample=0)
    text = " ".join(page.text.split())
    for part in ("17 clips", "15 descriptions", "descriptions: clip cannot be read", "11.8 %"):
        assert part in text
    assert "Not run, or no summary found: frames, pairs, questions, sequences, single." in text
    assert "filtered, questions: found_nowhere" in text
    assert f"clips: {EVIL}" in text
    assert page.tags.count("svg") == 2
    (source / "descriptions.2-of-2.summary.json").unlink()
    assert "counts are partial: descriptions (1 of 2)" in shown(source, sample=0).text


def test_a_whole_summary_is_not_added_to_its_shards(source):
    summary(source / "descriptions.summary.json", 17, 15, {})
    found = read_counts(source)
    assert list(found) == ["clips", "descriptions", "filtered"]
    assert (found["descriptions"].entered, found["descriptions"].shards) == (17, 1)
    for name in ("descriptions.summary.json", "clips.summary.json"):
        (source / name).unlink()
    summary(source / "descriptions.1-of-3.summary.json", 1, 1, {})
    with pytest.raises(
        InputError, match=r"descriptions has summaries of runs with \[2, 3\] shards"
    ):
        read_counts(source)


def test_lines_of_shards_stand_for_a_whole_file(source):
    rows = read_lines(source / "clips.jsonl")
    (source / "clips.jsonl").unlink()
    write_lines(source / "clips.1-of-2.jsonl", rows[::2])
    write_lines(source / "clips.2-of-2.jsonl", rows[1::2])
    assert [one.clip for one in stream_stage(source, "clips", ShownClip)] == [
        row["clip"] for row in rows[::2] + rows[1::2]
    ]
    assert len(shown(source, sample=2).images) == 32


def test_the_page_works_as_far_as_the_stages_came(source):
    (source / "filtered.jsonl").unlink()
    (source / "filtered.quarantine.jsonl").unlink()
    assert "the filter has not run" in shown(source, sample=2).text
    (source / "questions.jsonl").unlink()
    (source / "descriptions.jsonl").unlink()
    rows = read_lines(source / "pairs.jsonl")
    write_lines(source / "pairs.jsonl", [{**row, "questions": []} for row in rows])
    text = shown(source, sample=2).text
    assert "no questions have been generated yet" in text
    assert text.count("No questions yet.") == 2
    assert text.count("not described") == 4
    (source / "frames.jsonl").unlink()
    assert len(shown(source, sample=2).images) == 32  # of the videos
    for video in (source / "videos").iterdir():
        video.unlink()
    page = shown(source, sample=2)
    assert not page.images
    assert page.text.count("no such video file") == 4
    (source / "clips.jsonl").unlink()
    assert "clips.jsonl does not have this clip" in shown(source, sample=2).text
    (source / "pairs.jsonl").unlink()
    assert "No pairs yet." in shown(source).text


def test_a_seed_gives_the_same_page_and_another_seed_another(source):
    pages = []
    for seed in (0, 0, 1):
        write_page(source, source.parent / "page.html", sample=4, seed=seed)
        pages.append((source.parent / "page.html").read_bytes())
    assert pages[0] == pages[1] != pages[2]


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 12), st.integers(0, 3))
def test_both_kinds_are_drawn_as_far_as_there_are(touched, count, seed):
    places = choose(touched, count, seed)
    assert len(set(places)) == len(places) == min(count, len(touched))
    of_them = sum(touched[place] for place in places)
    least = min(count // 2, sum(touched))
    assert of_them >= least
    assert len(places) - of_them >= min(count // 2, len(touched) - sum(touched))


def test_bad_input_is_named(source, tmp_path, capsys):
    command = ["prep", "inspect", "--destination", str(tmp_path / "p.html"), "--source"]
    (tmp_path / "empty").mkdir()
    for more, message in (
        ([str(tmp_path / "nowhere")], "nowhere: no such directory"),
        ([str(tmp_path / "empty")], "has no output of any stage"),
        ([str(source), "--sample", "-1"], "--sample must not be negative, got -1"),
    ):
        assert main([*command, *more]) == 2
        assert message in capsys.readouterr().err
    (source / "clips.summary.json").write_text('{"in": "many", "out": 1}')
    assert main([*command, str(source)]) == 2
    assert "clips.summary.json: field 'in' must be an integer, got many" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()
