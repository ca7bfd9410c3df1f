"""World directories: the files' formats, their truth, and making them again."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.kitchen import language
from data_prep.kitchen.render import render_frames
from data_prep.kitchen.videos import render_video
from data_prep.kitchen.world import ATTRIBUTES, KEYSTEPS, SPLITS, VALUES, Scene
from data_prep.kitchen.world_files import clip_id, make_world, narrate, plan_video
from stepdiff_jax.data.video import probe, sample_frames
from stepdiff_jax.errors import InputError

VIDEOS = {"train": 3, "validation": 1, "test": 1}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("world")
    make_world(directory, videos=VIDEOS, keysteps_per_video=3, seed=5, processes=1)
    return directory


def load(world: Path, name: str):
    return json.loads((world / name).read_text())


def contents(directory: Path) -> dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_files_in_the_format_of_ht_step(world):
    splits = load(world, "video_splits.json")
    assert {split: len(videos) for split, videos in splits.items()} == VIDEOS
    annotations = load(world, "annotations.json")
    with (world / "taxonomy.csv").open(newline="") as file:
        taxonomy = {int(row["global_step_index"]): row for row in csv.DictReader(file)}
    assert [taxonomy[index]["headline"] for index in range(8)] == [
        f"{keystep.capitalize()}." for keystep in KEYSTEPS
    ]
    assert set(annotations) == {video for videos in splits.values() for video in videos}
    for video, entry in annotations.items():
        assert len(video) == 11
        assert video in splits[entry["subset"]]
        assert entry["activity"] == taxonomy[0]["activity"]
        assert entry["variation"] == "none"
        assert len({note["id"] for note in entry["annotations"]}) == 3
        previous = 0.0
        for note in entry["annotations"]:
            start, end = note["segment"]
            assert note["partial"] in ("Full Match", "Partial Match")
            assert previous + 0.5 < start
            assert 4 <= end - start <= 6
            previous = end
        assert previous < entry["duration"]


def test_videos_hold_what_is_annotated(world):
    for video, entry in load(world, "annotations.json").items():
        info = probe(world / "videos" / f"{video}.mp4")
        assert (info.width, info.height, info.codec) == (64, 64, "h264")
        assert info.duration == pytest.approx(entry["duration"], abs=1e-3)
        assert info.frames == entry["duration"] * 4


def test_a_clip_cut_by_time_shows_the_planned_scene(world):
    plan = plan_video("train", 0, 3, 5)
    for number, segment in enumerate(plan.segments, start=2):
        path = world / "videos" / f"{plan.video}.mp4"
        sampled = sample_frames(path, segment.start, segment.end)
        phases = (sampled.times - segment.start) / (segment.end - segment.start)
        assert np.abs(phases - np.linspace(0, 1, 8)).max() < 0.035
        rng = np.random.default_rng((*plan.seed, number))
        rendered = render_frames(segment.scene, rng, np.clip(phases, 0, 1))
        error = np.abs(sampled.frames.astype(int) - rendered).mean((1, 2, 3))
        assert error.max() < 12  # of lossy coding and its halved colour planes


def test_truth_names_every_clip_and_its_split(world):
    annotations = load(world, "annotations.json")
    lines = [json.loads(line) for line in (world / "truth.jsonl").read_text().splitlines()]
    expected = {
        f"{video}_{note['segment'][0]}_{note['segment'][1]}": (entry["subset"], note["id"])
        for video, entry in annotations.items()
        for note in entry["annotations"]
    }
    assert {line["clip"]: (line["split"], line["keystep"]) for line in lines} == expected
    settings: dict[str, set] = {}
    for line in lines:
        values = line["values"]
        scene = Scene(
            line["keystep"], tuple(VALUES[name].index(values[name]) for name in ATTRIBUTES)
        )
        assert scene.split == line["split"]
        video = line["clip"].rsplit("_", 2)[0]
        settings.setdefault(video, set()).add((values["counter"], values["hands"]))
    assert all(len(setting) == 1 for setting in settings.values())


def test_narration_in_the_format_of_howto100m(world):
    captions = load(world, "raw_caption.json")
    for video, entry in load(world, "annotations.json").items():
        caption = captions[video]
        assert set(caption) == {"text", "start", "end"}
        assert len(caption["text"]) == len(caption["start"]) == len(caption["end"]) > 0
        assert caption["start"] == sorted(caption["start"])
        for start, end in zip(caption["start"], caption["end"]):
            assert 0 <= start <= end <= entry["duration"]


def test_narration_noise():
    plans = [plan_video("train", index, 5, 0) for index in range(200)]
    captions = [narrate(plan) for plan in plans]
    sentences = Counter(
        sentence in language.OFF_TOPIC for caption in captions for sentence in caption["text"]
    )
    assert sentences[True] / sentences.total() == pytest.approx(0.2, abs=0.02)
    early = [plan.segments[0].start - caption["start"][0] for plan, caption in zip(plans, captions)]
    assert 0.8 < max(early) <= 1.0 + 5e-3
    assert min(early) < 0


def test_videos_of_many_splits_and_seeds_are_distinct():
    plans = [
        plan_video(split, index, 5, seed)
        for split in SPLITS
        for index in range(20)
        for seed in range(3)
    ]
    assert len({plan.video for plan in plans}) == len(plans)
    clips = [clip_id(plan.video, segment) for plan in plans for segment in plan.segments]
    assert len(set(clips)) == 5 * len(plans)


def test_two_processes_make_the_same_world(world, tmp_path):
    make_world(tmp_path, videos=VIDEOS, keysteps_per_video=3, seed=5, processes=2)
    assert contents(tmp_path) == contents(world)


def test_an_interrupted_world_is_completed(world, tmp_path):
    plans = [plan_video("train", index, 3, 5) for index in range(3)]
    (tmp_path / "videos").mkdir()
    kept = tmp_path / "videos" / f"{plans[0].video}.mp4"
    kept.write_bytes(b"kept as it is")
    unfinished = f".{plans[1].video}.mp4.kitchen.tmp"
    (tmp_path / "videos" / unfinished).write_bytes(b"half a video")
    make_world(tmp_path, videos=VIDEOS, keysteps_per_video=3, seed=5, processes=1)
    made = contents(tmp_path)
    assert made.pop(f"videos/{plans[0].video}.mp4") == b"kept as it is"
    expected = contents(world)
    del expected[f"videos/{plans[0].video}.mp4"]
    assert made == expected


def test_between_keysteps_the_counter_is_empty():
    plan = plan_video("test", 0, 3, 5)
    frames = render_video(plan)
    times = np.arange(len(frames)) / 4
    outside = np.all(
        [(times < one.start - 0.13) | (times > one.end + 0.13) for one in plan.segments], axis=0
    )
    assert (frames[0] == frames[0, 0, 0]).all()
    gaps = frames[outside & (times > plan.segments[0].end)].astype(int)
    assert len(gaps) >= 4
    assert np.abs(gaps - gaps[0]).mean() < 15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"videos": {"trian": 1}}, "trian"),
        ({"videos": {"train": -1}}, "-1"),
        ({"videos": {"train": 1}, "keysteps_per_video": 9}, "keysteps_per_video: 9"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        make_world(tmp_path, seed=0, **arguments)
