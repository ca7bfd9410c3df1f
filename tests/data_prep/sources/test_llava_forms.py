"""LLaVA-style JSON in the forms in which people publish it."""

import json
import random

import numpy as np
import pytest
from PIL import Image

from data_prep.sources.import_llava import import_llava
from data_prep.sources.llava_items import parse_item
from data_prep.sources.llava_turns import WrongItem
from launch.cli import main
from record_sources import read_lines, write_video
from stepdiff_jax.data.prompts import Video
from stepdiff_jax.data.records import QuestionAnswer, clip_ids, conversation_of, open_records


def said(*texts: str, roles=("human", "gpt")) -> list[dict]:
    return [{"from": roles[n % 2], "value": text} for n, text in enumerate(texts)]


def chat(*contents) -> list[dict]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]


def text(value: str) -> dict:
    return {"type": "text", "text": value}


TWO = ["a.mp4", "b.mp4"]
ASKED = said("<video>\n<video>\nwhat?", "this")
SAME = [
    {"video": TWO, "conversations": ASKED},
    {"videos": TWO, "conversations": ASKED},
    {"video": TWO, "conversations": said("what?", "this")},
    {"video": TWO, "conversations": said("what?<video><video>", " this ")},
    {"video": TWO, "conversations": said("<image>\n<image>\nwhat?", "this")},
    {"video": TWO, "conversations": said("what?", "this", roles=("user", "assistant"))},
    {"videos": TWO, "messages": chat("<video><video>what?", "this")},
    {
        "videos": TWO,
        "messages": chat([{"type": "video"}, {"type": "video"}, text("what?")], "this"),
    },
    {
        "messages": chat(
            [
                {"type": "video", "video": "a.mp4"},
                {"type": "video", "video": "b.mp4"},
                text("what?"),
            ],
            [text("this")],
        )
    },
    {
        "videos": TWO,
        "messages": chat(
            [{"type": "video_url", "video_url": {"url": name}} for name in TWO] + [text("what?")],
            "this",
        ),
    },
    {"videos": [{"path": "a.mp4"}, {"url": "b.mp4"}], "conversations": ASKED},
]


@pytest.mark.parametrize("item", SAME)
@pytest.mark.parametrize("name", [None, "x", 7, 7.5])
def test_forms_of_one_question_about_two_videos_are_one_pair(item, name):
    found = parse_item({**item, "id": name}, "train")
    assert found.is_pair
    assert [span.video for span in found.spans] == TWO
    assert [(one.question, one.answer) for one in found.questions] == [("what?", "this")]


@pytest.mark.parametrize(
    ("item", "names", "questions"),
    [
        ({"video": "a.mp4", "conversations": said("what?", "x")}, "a", ["what?"]),
        ({"image": "a", "conversations": said("<image>\nwhat?", "x")}, "a", ["what?"]),
        ({"video": list("abc"), "conversations": said("<video>" * 3 + "q", "x")}, "abc", ["q"]),
        (
            {"video": list("ab"), "conversations": said("in <video> or <video>?", "x", "so?", "y")},
            "ab",
            ["in <video> or <video>?", "so?"],
        ),
        (
            {"video": list("ab"), "conversations": said("<video> what?", "x", "<video>?", "y")},
            "ab",
            ["<video> what?", "<video>?"],
        ),
        (
            {"video": "a", "image": "i", "conversations": said("<image> as in <video>?", "x")},
            "ia",
            ["<video> as in <video>?"],
        ),
        (
            {
                "messages": chat(
                    [text("in"), {"type": "image", "image": "i"}, text("and"), {"type": "video",
                     "video": "file:///v/a%20b.mp4"}], "x")
            },
            ["i", "/v/a b.mp4"],
            ["in<video>and<video>"],
        ),
    ],
)  # fmt: skip
def test_other_items_are_conversations(item, names, questions):
    found = parse_item(item, "train")
    assert not found.is_pair
    assert [span.video.removesuffix(".mp4") for span in found.spans] == [
        name.removesuffix(".mp4") for name in names
    ]
    assert [one.question for one in found.questions] == questions


@pytest.mark.parametrize(
    "fields",
    [
        {"conversations": [{"from": "system", "value": "Be brief."}, *ASKED]},
        {"messages": [{"role": "system", "content": "Be brief."}, *ASKED]},
        {"system": "Be brief.", "conversations": ASKED},
    ],
)
def test_a_system_turn_is_kept(fields):
    found = parse_item({"video": TWO, **fields}, "train")
    assert (found.system, found.is_pair) == ("Be brief.", False)


JUNK = [
    None,
    True,
    -1,
    1e300,
    10**40,
    "",
    "<video>",
    "\0",
    [],
    {},
    [[]],
    ["x", 1],
    {"type": "video"},
]
PLACES = ["id", "video", "videos", "image", "conversations", "messages", "system", "segments",
          "clips", "weights", "independent", "split"]  # fmt: skip


def test_whatever_an_item_holds_it_is_read_or_has_a_reason():
    draw = random.Random(0)
    for _ in range(3000):
        item = dict(draw.choice(SAME))
        for place in draw.sample(PLACES, 2):
            item[place] = draw.choice(JUNK)
        if draw.random() < 0.5:
            turn = dict(draw.choice(ASKED))
            turn[draw.choice(["from", "value", "role", "content"])] = draw.choice(JUNK)
            item["conversations"] = draw.choice([[turn], [*ASKED, turn], [turn, ASKED[1]]])
        try:
            parse_item(item, "train")
        except WrongItem as wrong:
            assert wrong.rejected.kind


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    directory = tmp_path_factory.mktemp("videos")
    for name in (*TWO, "a.mkv"):
        write_video(directory / name, brightness=100)
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(directory / "a.png")
    return directory


def test_from_a_file_of_lines_to_training_records(tmp_path, videos, capsys):
    items = [
        {"id": 1, "video": TWO, "conversations": ASKED},
        {"id": 1, "video": str(videos / "a.mp4"), "conversations": said("what?", "x", "so?", "y")},
        {"id": "3", "videos": [*TWO, "a.mkv"], "conversations": ASKED},
        {"image": "a.png", "messages": chat("what is in <image> here?", "x")},
        {"video": TWO, "conversations": [{"from": "system", "value": "Be brief."}, *ASKED]},
        {"id": 6, "videos": ["a.mkv", "b.mp4"], "conversations": ASKED},
    ]
    lines = [json.dumps(item) for item in items]
    lines.insert(2, '{"id": "cut off')
    (tmp_path / "items.jsonl").write_text("\ufeff" + "\n".join(lines) + "\n\n")
    out, data = tmp_path / "out", tmp_path / "data"
    flags = f"--source {tmp_path}/items.jsonl --videos {videos} --destination {out}"
    with pytest.raises(SystemExit) as stop:
        main(["prep", "import-llava", *flags.split()])
    assert stop.value.code == 3
    set_aside = read_lines(out / "pairs.quarantine.jsonl")
    assert [(row["item"], row["reason"]) for row in set_aside] == [
        (3, "item is not JSON"),
        (4, "wrong number of <video>"),
    ]
    frames = f"--clips {out}/clips.jsonl --destination {out}/frames.jsonl --processes 1"
    assert main(["prep", "frames", *frames.split()]) == 0
    assert main(["prep", "pack", "--source", str(out), "--destination", str(data)]) == 0
    assert f"{data}: 3 conversations" in capsys.readouterr().out
    ids = clip_ids(data, "train")
    pairs = open_records(data, "pairs", "train")
    assert ids[pairs[0].reference].startswith("a_")
    assert ids[pairs[1].reference].startswith("a-")  # a.mkv is not a.mp4
    follow_up, image, brief = open_records(data, "conversations", "train")
    assert follow_up.turns == (QuestionAnswer("what?", "x"), QuestionAnswer("so?", "y"))
    assert ids[image.clips[0]] == "a_0.0_1.0"
    assert brief.system == "Be brief."
    placed = [type(part) for part in conversation_of(image).prefix]
    assert placed.index(Video) == len(placed) - 4  # before " here?", the turn and the answer


def test_conversations_only_leave_no_empty_file_and_pack_reads_them(tmp_path, videos):
    item = {"video": "a.mp4", "conversations": said("what?", "x")}
    source = tmp_path / "items.json"
    source.write_text(json.dumps([item, {"video": []}]))
    summaries = import_llava(source, videos, tmp_path / "out")
    assert set(summaries) == {"clips.jsonl", "conversations.jsonl"}
    assert summaries["conversations.jsonl"]["counts"] == {"clips shown": 1, "questions": 1}
    assert len(read_lines(tmp_path / "out/conversations.quarantine.jsonl")) == 1
    assert not (tmp_path / "out/pairs.jsonl").exists()
