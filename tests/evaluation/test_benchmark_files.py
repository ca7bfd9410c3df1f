"""The benchmark's files: round trips, the authors' file, and one-line errors for bad ones."""

import json
import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    ClipId,
    DiffCap,
    DiffMCQ,
    DiffRank,
    format_clip_id,
    parse_clip_id,
    read_diffcap,
    read_diffmcq,
    read_diffrank,
    read_predictions,
    write_jsonl,
)

READERS = {
    "diffcap": read_diffcap,
    "diffmcq": read_diffmcq,
    "diffrank": read_diffrank,
    "captions": lambda path: read_predictions(path, "diffcap"),
    "choices": lambda path: read_predictions(path, "diffmcq"),
    "ranks": lambda path: read_predictions(path, "diffrank"),
}
CLIPS = [f"vfxf_v{index}s-50_{index}.5_{index + 9}" for index in range(5)]
PAIRS = [[CLIPS[0], clip] for clip in CLIPS[1:]]
GOOD = {
    "diffcap": {
        "reference": CLIPS[0],
        "candidate": CLIPS[1],
        "category": "Ingredients",
        "text": ["Small red chili as opposed to long red chili", ""],
    },
    "diffmcq": {
        "difference": "Uses a pan",
        "category": "Tools/Equipment",
        "options": PAIRS,
        "answer": PAIRS[2],
    },
    "diffrank": {
        "reference": CLIPS[0],
        "targets": CLIPS[1:],
        "category": "Visuals",
        "scores": [5, 0, 0, 2],
    },
    "captions": {"generated_text": "the person is chopping a red onion."},
    "choices": {"scores": [0.25, -3, 1e-8, 7.5]},
    "ranks": {"scores": [0.25, -3, 1e-8, 7.5]},
}

SECONDS = st.floats(0, 1e6)
CLIP_IDS = st.builds(
    lambda video, times: ClipId(video, *sorted(times)),
    st.text(min_size=1),
    st.lists(SECONDS, min_size=2, max_size=2, unique=True),
)
CLIP_NAMES = CLIP_IDS.map(format_clip_id)
CLIP_PAIRS = st.tuples(CLIP_NAMES, CLIP_NAMES)
FOUR_PAIRS = st.tuples(*[CLIP_PAIRS] * 4)
EXAMPLES = {
    "diffcap": st.builds(
        DiffCap,
        CLIP_NAMES,
        CLIP_NAMES,
        st.text(),
        st.lists(st.text(), min_size=1, max_size=3).map(tuple),
    ),
    "diffmcq": FOUR_PAIRS.flatmap(
        lambda options: st.builds(
            DiffMCQ, st.text(), st.text(), st.just(options), st.sampled_from(options)
        )
    ),
    "diffrank": st.builds(
        DiffRank,
        CLIP_NAMES,
        st.tuples(*[CLIP_NAMES] * 4),
        st.text(),
        st.tuples(*[st.integers(0, 5)] * 4),
    ),
}


def _write(folder: Path, *rows: str) -> Path:
    path = folder / "file.jsonl"
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_real_clip_id():
    clip = parse_clip_id("vfxfLvrs_50_97.70276_109")
    assert clip == ClipId("vfxfLvrs_50", 97.70276, 109.0)
    assert format_clip_id(clip) == "vfxfLvrs_50_97.70276_109"


@given(CLIP_IDS)
def test_clip_ids_round_trip(clip):
    assert parse_clip_id(format_clip_id(clip)) == clip


@pytest.mark.parametrize(
    "clip",
    ["", "video", "video_1", "_1_2", "video_a_2", "video_1_nan", "video_-1_2", "video_1_2 "],
)
def test_malformed_clip_ids(clip):
    with pytest.raises(InputError, match=r"<video>_<start>_<end>"):
        parse_clip_id(clip)


@pytest.mark.parametrize("clip", ["video_2_2", "video_3_2.5", "video_1_1" + "0" * 400])
def test_clip_ids_that_do_not_end_after_they_start(clip):
    with pytest.raises(InputError, match="end after it starts"):
        parse_clip_id(clip)


@pytest.mark.parametrize("kind", EXAMPLES)
@given(data=st.data())
def test_examples_round_trip(kind, data):
    examples = data.draw(st.lists(EXAMPLES[kind], min_size=1, max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "examples.jsonl"
        write_jsonl(path, examples)
        assert READERS[kind](path) == examples
        assert list(path.parent.iterdir()) == [path]


def test_line_separators_inside_strings_do_not_end_a_line(tmp_path):
    row = json.dumps({"generated_text": "a\u2028b\x85c"}, ensure_ascii=False)
    assert read_predictions(_write(tmp_path, row), "diffcap") == ["a\u2028b\x85c"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_jsonl(path, [{"scores": [1.0]}])
    with pytest.raises(ValueError, match="JSON compliant"):
        write_jsonl(path, [{"scores": [2.0]}, {"scores": [float("nan")]}])
    assert path.read_text() == '{"scores": [1.0]}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_answer_index():
    options = tuple((pair[0], pair[1]) for pair in PAIRS)
    assert DiffMCQ("difference", "Visuals", options, options[2]).answer_index == 2


@pytest.mark.parametrize("kind", GOOD)
def test_good_lines_read(kind, tmp_path):
    row = json.dumps(GOOD[kind])
    assert len(READERS[kind](_write(tmp_path, row, row))) == 2


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in GOOD for field in GOOD[kind]]
)
def test_missing_fields_and_wrong_types_are_named(kind, field, tmp_path):
    good = GOOD[kind]
    missing = {key: value for key, value in good.items() if key != field}
    for bad in [missing, {**good, field: 17}, {**good, field: None}, {**good, field: {"a": 1}}]:
        path = _write(tmp_path, json.dumps(good), json.dumps(bad))
        with pytest.raises(InputError) as caught:
            READERS[kind](path)
        message = str(caught.value)
        assert message.startswith(f"{path}, line 2: field '{field}'")
        assert field not in bad or repr(bad[field]) in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("kind", "field", "value", "problem"),
    [
        ("diffcap", "reference", "video_5_4", "end after it starts, got 'video_5_4'"),
        ("diffcap", "text", [], "non-empty list, got []"),
        ("diffcap", "text", ["a", 3], "strings only, got ['a', 3]"),
        ("diffmcq", "options", PAIRS[:3], "a list of 4"),
        ("diffmcq", "options", [*PAIRS[:3], CLIPS[:3]], "pairs of clip ids"),
        ("diffmcq", "options", [*PAIRS[:3], [CLIPS[0], "b"]], "got 'b'"),
        ("diffmcq", "answer", PAIRS[0][::-1], "must be one of the options, got ["),
        ("diffrank", "targets", CLIPS, "a list of 4"),
        ("diffrank", "targets", [*CLIPS[:3], "clip"], "got 'clip'"),
        ("diffrank", "scores", [1, 2, 3], "a list of 4, got [1, 2, 3]"),
        ("diffrank", "scores", [1, 2, 3, 4.5], "integers only, got [1, 2, 3, 4.5]"),
        ("diffrank", "scores", [1, 2, 3, True], "integers only, got [1, 2, 3, True]"),
        ("choices", "scores", [1, 2, 3], "a list of 4, got [1, 2, 3]"),
        ("choices", "scores", [1, 2, 3, "4"], "numbers only, got [1, 2, 3, '4']"),
        ("choices", "scores", [1, 2, 3, True], "numbers only, got [1, 2, 3, True]"),
        ("ranks", "scores", [1, 2, 3, float("nan")], "finite numbers only, got [1, 2, 3, nan]"),
        ("ranks", "scores", [1, 2, 3, -float("inf")], "finite numbers only, got [1, 2, 3, -inf]"),
        ("ranks", "scores", [1, 2, 3, 10**400], "finite numbers only, got [1, 2, 3, 1000"),
    ],
)
def test_bad_values_are_named(kind, field, value, problem, tmp_path):
    path = _write(tmp_path, json.dumps({**GOOD[kind], field: value}))
    with pytest.raises(InputError) as caught:
        READERS[kind](path)
    assert str(caught.value).startswith(f"{path}, line 1: field '{field}'")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"generated_text": "a"', "line 2: is not JSON"),
        ("", "line 2: is not JSON"),
        ("[" * 100_000, "line 2: is not JSON"),
        ("[1]", "line 2: must be a JSON object, got '[1]'"),
    ],
)
def test_bad_lines_are_named(row, problem, tmp_path):
    path = _write(tmp_path, '{"generated_text": "a"}', row)
    with pytest.raises(InputError) as caught:
        read_predictions(path, "diffcap")
    assert f"{path}, {problem}" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\n"])
def test_empty_files(content, tmp_path):
    path = tmp_path / "file.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"file\.jsonl: is empty"):
        read_diffcap(path)


def test_unreadable_files(tmp_path):
    with pytest.raises(InputError, match=r"absent\.jsonl: cannot be read: No such file"):
        read_diffcap(tmp_path / "absent.jsonl")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_diffcap(tmp_path)
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"generated_text": "cr\xe8me"}\n')
    with pytest.raises(InputError, match="not UTF-8 at byte 22"):
        read_predictions(path, "diffcap")


def test_unknown_task(tmp_path):
    with pytest.raises(InputError, match="diffcap, diffmcq, diffrank, got 'diffcaps'"):
        read_predictions(tmp_path / "any.jsonl", "diffcaps")


@pytest.mark.skipif(
    "STEPDIFF_DIFFRANK" not in os.environ,
    reason="STEPDIFF_DIFFRANK is not set: the path of the authors' diffrank_dataset.jsonl",
)
def test_the_released_diffrank_file():
    examples = read_diffrank(os.environ["STEPDIFF_DIFFRANK"])
    clips = {clip for example in examples for clip in (example.reference, *example.targets)}
    assert len(examples) == 4080
    assert len({example.reference for example in examples}) == 1288
    assert len(clips) == 5946
    assert len({parse_clip_id(clip).video for clip in clips}) == 4826
    assert all(format_clip_id(parse_clip_id(clip)) == clip for clip in clips)
    assert Counter(example.category for example in examples) == {
        "Visuals": 902,
        "Ingredients": 858,
        "Actions": 785,
        "Technique": 774,
        "Tools/Equipment": 720,
        "Serving / Presentation": 41,
    }
