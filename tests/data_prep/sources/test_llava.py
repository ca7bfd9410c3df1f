"""LLaVA-style JSON with two videos: there and back again, and items that are wrong."""

import copy
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.frames.stage import write_frames
from data_prep.records.dataset.files import read_record_files
from data_prep.sources.export_llava import export_llava
from data_prep.sources.import_llava import import_llava
from launch.cli import main
from record_sources import SECONDS, read_lines, write_lines, write_source, write_video
from stepdiff_jax.errors import InputError

ITEM = {
    "id": "one",
    "video": ["a.mp4", "more/a.mp4"],
    "conversations": [
        {"from": "human", "value": "<video>\n<video>\n what differs?"},
        {"from": "gpt", "value": "the pan"},
        {"from": "human", "value": "and the spoon?"},
        {"from": "gpt", "value": "it is of wood"},
    ],
    "segments": [[0, 2.5], [1, 4]],
    "independent": True,
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("videos")
    (directory / "more").mkdir()
    for name in ("a.mp4", "more/a.mp4"):
        write_video(directory / name, brightness=200)
    (directory / "broken.mp4").write_bytes(b"no video")
    return directory


def imported(items, videos: Path, destination: Path) -> tuple[list, list, list]:
    """Clips, pairs and what was set aside."""
    source = destination / "llava.json"
    source.parent.mkdir(exist_ok=True)
    source.write_text(json.dumps(items, indent=1))
    import_llava(source, videos, destination)
    names = ("clips", "pairs", "pairs.quarantine")
    clips, pairs, set_aside = (read_lines(destination / f"{name}.jsonl") for name in names)
    return clips, pairs, set_aside


def test_an_item_becomes_two_clips_and_a_pair_that_pack_reads(tmp_path, videos):
    clips, pairs, set_aside = imported([ITEM], videos, tmp_path / "out")
    assert not set_aside
    assert pairs == [
        {
            "id": "one",
            "reference": "a_0_2.5",
            "candidate": "more-a_1_4",
            "split": "train",
            "questions": [
                {"question": "what differs?", "answer": "the pan"},
                {"question": "and the spoon?", "answer": "it is of wood"},
            ],
        }
    ]
    assert [(clip["clip"], clip["start"], clip["end"]) for clip in clips] == [
        ("a_0_2.5", 0, 2.5),
        ("more-a_1_4", 1, 4),
    ]
    write_frames(tmp_path / "out/clips.jsonl", tmp_path / "out/frames.jsonl", processes=1)
    assert (tmp_path / "out" / clips[1]["video"]).samefile(videos / "more/a.mp4")
    records = read_record_files(tmp_path / "out")
    assert records.clips["train"][1].id == "more-a_1_4"
    assert len(records.records["pairs"]["train"]) == 1


def test_a_video_without_a_segment_is_taken_whole(tmp_path, videos):
    item = copy.deepcopy(ITEM)
    del item["segments"]
    clips, pairs, _ = imported([item, item], videos, tmp_path / "out")
    assert [(clip["clip"], clip["start"], clip["end"]) for clip in clips] == [
        (f"a_0.0_{SECONDS}.0", 0, SECONDS),
        (f"more-a_0.0_{SECONDS}.0", 0, SECONDS),
    ]
    assert [pair["reference"] for pair in pairs] == [clips[0]["clip"]] * 2


def changed(**fields) -> dict:
    return {**copy.deepcopy(ITEM), **fields}


def spoken(*turns: tuple[str, str]) -> dict:
    return changed(conversations=[{"from": role, "value": text} for role, text in turns])


ASKED = ("human", "<video>\n<video>\nwhat?")
WRONG = [
    (spoken(("human", "<video>\nwhat?"), ("gpt", "x")), "wrong number of <video>"),
    (spoken(("human", "<video>\n<video>\n<video>\nwhat?"), ("gpt", "x")), "wrong number"),
    (spoken(ASKED, ("gpt", "x"), ("human", "<video> and?"), ("gpt", "x")), "wrong number"),
    (
        spoken(("human", "is <video> like <video> here?"), ("gpt", "x")),
        "independent question holds",
    ),
    (spoken(ASKED, ("gpt", "see <image>")), "answer holds <image>"),
    (spoken(ASKED, ("gpt", "x"), ("system", "be kind")), "system turn after the first turn"),
    (spoken(("system", " "), ASKED, ("gpt", "x")), "system turn is empty"),
    (spoken(("system", "be kind")), "question without an answer"),
    (spoken(("tool", "be kind"), ASKED, ("gpt", "x")), "unknown role"),
    (spoken(ASKED), "question without an answer"),
    (spoken(ASKED, ("human", "what?"), ("gpt", "x")), "question without an answer"),
    (spoken(ASKED, ("gpt", "x"), ("gpt", "y")), "answer without a question"),
    (spoken(ASKED, ("gpt", " \n")), "answer is empty"),
    (spoken(("human", "<video><video>"), ("gpt", "x")), "question is empty"),
    (spoken(("system", "be kind"), ASKED, ("gpt", "x")), "item is of another form"),
    (changed(video="a.mp4", segments=None), "wrong number of <video>"),
    (changed(video=["a.mp4"] * 3, segments=None), "wrong number of <video>"),
    (changed(video=[]), "item shows no video"),
    (changed(video=["a.mp4", "https://x.org/b.mp4"]), "video is not a file on this machine"),
    (changed(video=["a.mp4", "more"]), "video is not a file"),
    (changed(video=["a.mp4", "a" * 300 + ".mp4"]), "video file cannot be opened"),
    (changed(video=["a.mp4", "gone.mp4"]), "video file is missing"),
    (changed(video=["a.mp4", "broken.mp4"], segments=None), "video cannot be read"),
    (changed(video=["a.mp4", 7]), "item is of another form"),
    (changed(segments=[[0, 1], [2, 1]]), "segment is not [start, end] in seconds"),
    (changed(segments=[[0, 1]]), "item is of another form"),
    (changed(conversations=[]), "item is of another form"),
    (changed(conversations=[{"from": "human"}]), "item is of another form"),
    (changed(split="all"), "item is of another form"),
    (changed(id=["x"]), "item is of another form"),
    (changed(weights=[1, 0]), "weight is not a positive number"),
    (changed(clips=[{"clip": "a_0_2.5"}, {"clip": "a_0_2.5"}]), "clip id names two clips"),
    (changed(clips=[{"narration": 1}, {}]), "item is of another form"),
    ("no item", "item is of another form"),
]


def test_wrong_items_are_set_aside_with_their_reason_and_nothing_else_is_lost(tmp_path, videos):
    items = [ITEM, *(item for item, _ in WRONG), changed(id="last")]
    clips, pairs, set_aside = imported(items, videos, tmp_path / "out")
    assert [pair["id"] for pair in pairs] == ["one", "last"]
    assert len(clips) == 2
    assert len(set_aside) == len(WRONG)
    for row, (item, reason) in zip(set_aside, WRONG, strict=True):
        assert row["reason"].startswith(reason), row
        assert row["value"] == item
    summary = json.loads((tmp_path / "out/pairs.summary.json").read_text())
    assert (summary["in"], summary["out"]) == (len(items), 2)
    assert sum(summary["dropped"].values()) == len(WRONG)
    assert summary["counts"] == {"questions": 4}


TEXT = st.text(min_size=1).map(str.strip).filter(lambda text: text and "<video>" not in text)
CLIPS = st.lists(
    st.fixed_dictionaries(
        {
            "video": st.sampled_from(["../videos/a.mp4", "../videos/more/b.mp4"]),
            "start": st.one_of(st.integers(0, 50), st.floats(0, 50)),
            "end": st.one_of(st.integers(51, 99), st.floats(51, 99)),
            "keystep": st.text(),
            "activity": st.text(),
            "narration": st.text(),
        },
        optional={"match": st.text()},
    ),
    min_size=2,
    max_size=5,
)
QUESTIONS = st.lists(
    st.fixed_dictionaries(
        {"question": TEXT, "answer": TEXT}, optional={"weight": st.floats(0.1, 5)}
    ),
    min_size=1,
    max_size=3,
)


@given(CLIPS, st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), QUESTIONS), min_size=1))
@settings(deadline=None, max_examples=50)
def test_out_and_in_and_out_again_loses_nothing(clips, chosen):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path in ("videos/a.mp4", "videos/more/b.mp4"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        (root / "one").mkdir()
        clips = [
            {"clip": f"c{number}_0_1", **clip, "split": "train"}
            for number, clip in enumerate(clips)
        ]
        pairs = [
            {
                "reference": clips[one % len(clips)]["clip"],
                "candidate": clips[other % len(clips)]["clip"],
                "split": "train",
                "questions": questions,
            }
            for one, other, questions in chosen
        ]
        write_lines(root / "one/clips.jsonl", clips)
        write_lines(root / "one/pairs.jsonl", pairs)
        for here, there in (("one", "two"), ("two", "three")):
            files = (root / here / "clips.jsonl", root / here / "pairs.jsonl")
            export_llava(*files, root / here / "llava.json", root / "videos")
            import_llava(root / here / "llava.json", root / "videos", root / there)
        first, second = (root / here / "llava.json" for here in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
        assert len(json.loads(first.read_text())) == len(pairs)
        used = {pair[side] for pair in pairs for side in ("reference", "candidate")}
        found = {clip["clip"]: clip for clip in read_lines(root / "two/clips.jsonl")}
        assert found == {clip["clip"]: clip for clip in clips if clip["clip"] in used}
        plain = read_lines(root / "two/pairs.jsonl")
        for pair, before in zip(plain, pairs, strict=True):
            assert pair.pop("id") == f"{before['reference']} {before['candidate']}"
            for row in (pair, before):
                for question in row["questions"]:
                    question.setdefault("weight", 1.0)
            assert pair == before


def test_the_commands_carry_a_source_over(tmp_path, capsys):
    source = write_source(tmp_path / "source")
    main(
        f"prep export-llava --clips {source}/clips.jsonl --pairs {source}/pairs.jsonl "
        f"--destination {tmp_path}/llava.json".split()
    )
    main(
        f"prep import-llava --source {tmp_path}/llava.json --videos {source} "
        f"--destination {tmp_path}/back".split()
    )
    assert "pairs.jsonl: {" in capsys.readouterr().out
    write_frames(tmp_path / "back/clips.jsonl", tmp_path / "back/frames.jsonl", processes=1)
    before, after = read_record_files(source), read_record_files(tmp_path / "back")
    for split, pairs in before.records["pairs"].items():
        ids = [
            {number: clip.id for number, clip in enumerate(files.clips[split])}
            for files in (before, after)
        ]
        told = [
            [(names[pair.reference], names[pair.candidate], pair.questions) for pair in group]
            for names, group in zip(ids, (pairs, after.records["pairs"][split]), strict=True)
        ]
        assert told[0] == told[1]


def test_pairs_that_no_item_can_hold_are_set_aside(tmp_path):
    known = {"video": "a.mp4", "start": 0, "end": 1, "split": "train"}
    texts = {"keystep": "", "activity": "", "narration": ""}
    write_lines(tmp_path / "clips.jsonl", [{"clip": "a", **known, **texts}])
    good = {"question": "what?", "answer": "this"}
    wrong = [
        ({"candidate": "b"}, "clip is not in clips.jsonl"),
        ({"questions": []}, "pair has no questions"),
        ({"questions": [{**good, "answer": " "}]}, "answer is empty"),
        ({"questions": [{**good, "question": "<video>?"}]}, "question holds <video>"),
        ({"questions": [{**good, "weight": -1}]}, "weight is not a positive number"),
    ]
    pair = {"reference": "a", "candidate": "a", "split": "train", "questions": [good]}
    rows = [{**pair, **fields} for fields, _ in wrong]
    write_lines(tmp_path / "pairs.jsonl", [*rows, pair])
    out = tmp_path / "llava.json"
    summary = export_llava(tmp_path / "clips.jsonl", tmp_path / "pairs.jsonl", out)
    assert (summary["in"], summary["out"]) == (6, 1)
    set_aside = read_lines(tmp_path / "llava.quarantine.jsonl")
    assert [row["reason"] for row in set_aside] == [reason for _, reason in wrong]
    assert [item["video"] for item in json.loads(out.read_text())] == [["a.mp4", "a.mp4"]]
    write_lines(tmp_path / "pairs.jsonl", rows)
    export_llava(tmp_path / "clips.jsonl", tmp_path / "pairs.jsonl", out)
    assert json.loads(out.read_text()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"item":\n[]}',
            "must hold a JSON list, or a JSON object per line; its first line is not",
        ),
        ('"item"', "must hold a JSON list"),
        ("", "must hold a JSON list"),
        ("[{]", "is not JSON"),
        ("[NaN]", "is not JSON"),
        ('["\xe9"]', "is not JSON"),
    ],
)
def test_bad_files_are_named(tmp_path, videos, text, message):
    source = tmp_path / "llava.json"
    source.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=f"{source}: {message}"):
        import_llava(source, videos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_second_import_does_nothing_and_another_one_is_an_error(tmp_path, videos):
    out = tmp_path / "out"
    imported([ITEM], videos, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    imported([ITEM], videos, out)
    assert before == {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match="was made from other input"):
        imported([changed(segments=[[0, 1], [0, 1]])], videos, out)
    with pytest.raises(InputError, match="no such directory of video files"):
        import_llava(out / "llava.json", tmp_path / "nowhere", out)
    with pytest.raises(InputError, match="--split 'a b': must be a word"):
        import_llava(out / "llava.json", videos, out, split="a b")
