"""The clips stage: which segments become clips, and what is set aside with which reason."""

import copy
import json
from collections import Counter

import pytest

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.sources.clips import write_clips
from data_prep.sources.htstep import HtStep
from data_prep.sources.limits import ClipLimits
from htstep_files import ANNOTATIONS, CAPTIONS, SPLITS, write_htstep
from launch.cli import main
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


def annotated(*segments, video="zzz", duration=100.0):
    """The two videos' annotations, with other segments (keystep id, start, end) for one."""
    annotations = copy.deepcopy(ANNOTATIONS)
    annotations[video] |= {
        "duration": duration,
        "annotations": [
            {"id": step, "segment": [start, end], "partial": match}
            for step, start, end, match in segments
        ],
    }
    return annotations


def test_clips_hold_what_both_files_say(tmp_path, captions, videos):
    htstep = write_htstep(tmp_path / "htstep")
    summary = write_clips(HtStep(htstep), captions, videos, tmp_path / "out")
    assert (summary["in"], summary["out"], summary["dropped"]) == (3, 3, {})
    second, first, third = read_lines(tmp_path / "out/clips.jsonl")
    assert first == {
        "clip": "-a_b-c1_3.25_20.125",
        "video": "../videos/-a_b-c1.mp4",
        "start": 3.25,
        "end": 20.125,
        "keystep": "Chop onions, finely.",
        "activity": "Make Soup",
        "narration": "we chop and chop",
        "split": "train",
        "match": "partial",
    }
    assert (second["clip"], second["narration"]) == ("-a_b-c1_30.5_42", "boil it")
    assert (third["video"], third["narration"], third["match"]) == (
        "../videos/zzz.webm",
        "",
        "full",
    )


def test_every_broken_annotation_is_set_aside_and_nothing_else_lost(tmp_path, captions, videos):
    full = "Full Match"
    annotations = annotated(
        (7, 0, 4.5, full),
        (99, 5, 10, full),  # no such keystep
        (7, 95, 120, full),  # past the end
        (7, 20, 15, full),
        (7, 30, "40", full),
        (7, 50, 60, "Half Match"),
        (7, 61, 62, full),  # short
        (7, 63, 99, full),  # long
    )
    fields = {"activity": "Make Tea", "duration": 50}
    item = {"id": 7, "segment": [0, 5], "partial": full}
    annotations["lost"] = {**fields, "annotations": [item]}  # no file
    annotations["nowhere"] = {**fields, "annotations": [item]}  # of no split
    annotations["odd"] = {**fields, "annotations": "none"}
    annotations["latin"] = {**fields, "annotations": [item]}
    splits = {**SPLITS, "val_seen": ["zzz", "lost", "odd", "latin"]}
    for name in ("nowhere", "odd", "latin"):
        (videos / f"{name}.mp4").touch()
    spoken = json.dumps(
        {"latin": {"text": ["sauté"], "start": [1], "end": [2]}}, ensure_ascii=False
    )
    spoken_bytes = spoken.encode("latin-1")[:-1] + b", " + json.dumps(CAPTIONS).encode()[1:]
    captions.write_bytes(spoken_bytes)
    htstep = write_htstep(tmp_path / "htstep", annotations=annotations, splits=splits)
    summary = write_clips(HtStep(htstep), captions, videos, tmp_path / "out")
    set_aside = read_lines(tmp_path / "out/clips.quarantine.jsonl")
    assert Counter(row["reason"] for row in set_aside) == summary["dropped"]
    assert summary["dropped"] == {
        "annotation is of another form": 1,
        "captions are not UTF-8": 1,
        "segment does not end after it starts": 1,
        "segment is not [start, end] in seconds": 1,
        "segment is too long": 1,
        "segment is too short": 1,
        "segment past the end": 1,
        "unknown keystep id": 1,
        "unknown match": 1,
        "video file is missing": 1,
        "video of no split": 1,
    }
    clips = read_lines(tmp_path / "out/clips.jsonl")
    assert {row["clip"] for row in clips} == {
        "-a_b-c1_30.5_42",
        "-a_b-c1_3.25_20.125",
        "zzz_0_4.5",
    }
    assert clips[1]["narration"] == "we chop and chop"
    assert summary["in"] == len(clips) + len(set_aside)


def test_near_duplicates_are_one_clip_and_the_full_match_stays(tmp_path):
    annotations = annotated(
        (7, 10, 20, "Partial Match"),
        (7, 10.5, 20, "Full Match"),
        (7, 15, 25, "Full Match"),  # half is shared
        (11, 10, 20.5, "Full Match"),  # another keystep
        (11, 10.5, 20, "Partial Match"),  # the very span of another
    )
    htstep = write_htstep(tmp_path / "htstep", annotations=annotations)
    write_clips(HtStep(htstep), None, None, tmp_path / "out")
    clips = [row["clip"] for row in read_lines(tmp_path / "out/clips.jsonl")]
    assert [name for name in clips if "zzz" in name] == ["zzz_10.5_20", "zzz_15_25", "zzz_10_20.5"]
    set_aside = read_lines(tmp_path / "out/clips.quarantine.jsonl")
    assert [row["reason"] for row in set_aside] == ["near-duplicate segment"] * 2


@pytest.mark.parametrize(
    ("by", "left"),
    [
        ("pair", {"-a_b-c1_30.5_42", "-a_b-c1_3.25_20.125", "zzz_0_4.5"}),
        ("clip", {"-a_b-c1_30.5_42"}),
        ("video", set()),
    ],
)
def test_evaluation_files_are_left_out(tmp_path, by, left):
    exclude = EvaluationClips(frozenset([frozenset(("zzz_0_4.5", "-a_b-c1_3.25_20.125"))]), by)
    htstep = write_htstep(tmp_path / "htstep")
    summary = write_clips(HtStep(htstep), None, None, tmp_path, exclude=exclude)
    assert {row["clip"] for row in read_lines(tmp_path / "clips.jsonl")} == left
    assert summary["out"] + sum(summary["dropped"].values()) == 3
    # As many other pairs are other settings.
    other = EvaluationClips(frozenset([frozenset(("zzz_0_4.5", "-a_b-c1_30.5_42"))]), by)
    with pytest.raises(InputError, match="was made with evaluation digest"):
        write_clips(HtStep(htstep), None, None, tmp_path, exclude=other)


def test_the_command_shards_and_is_done_once(tmp_path, captions, videos, capsys):
    htstep = write_htstep(tmp_path / "htstep")
    flags = f"--htstep {htstep} --captions {captions} --videos {videos}".split()
    whole = ["prep", "clips", *flags, "--destination", f"{tmp_path}/whole"]
    assert main(whole) == 0
    assert main(whole) == 0
    parts = []
    for number in (1, 2, 3, 4):
        shard = ["--destination", f"{tmp_path}/parts", "--shard", f"{number}/4"]
        assert main(["prep", "clips", *flags, *shard]) == 0
        parts += read_lines(tmp_path / f"parts/clips.{number}-of-4.jsonl")
    assert parts == read_lines(tmp_path / "whole/clips.jsonl")
    assert main([*whole, "--shortest", "5"]) == 2
    assert "was made with shortest = 4.0, not 5.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"shortest": 30.0}, "--shortest 30.0: must be below --longest 30.0"),
        ({"duplicate_overlap": 0.0}, "--duplicate-overlap 0.0"),
        ({"margin": -1.0}, "--margin must not be negative, got -1.0"),
    ],
)
def test_impossible_limits(limits, message):
    with pytest.raises(InputError, match=message):
        ClipLimits(**limits)


def test_a_missing_directory_of_videos_is_named(tmp_path):
    with pytest.raises(InputError, match="none: no such directory of video files"):
        write_clips(
            HtStep(write_htstep(tmp_path / "htstep")), None, tmp_path / "none", tmp_path / "out"
        )
