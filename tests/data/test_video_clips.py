"""Clips straight from video files, by the ids of the benchmark and of others."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.data.video import decoder_version, sample_frames
from stepdiff_jax.data.video_clips import VideoClips
from stepdiff_jax.data.visual import SourceFrames
from stepdiff_jax.errors import InputError
from video_files import numbers, write

ENCODER = EncoderConfig(image_size=16, resized_side=24)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds each, under names that benchmarks give them."""
    root = tmp_path_factory.mktemp("videos")
    (root / "158").mkdir()
    first = write(root / "ab_c-d.mp4")
    shutil.copy(first, root / "158/1Q0_seg1.MKV")
    shutil.copy(first, root / "1_10_360p.mp4")
    write(root / "x.y.webm", "libvpx", options={})
    Image.new("RGB", (32, 24)).save(root / "still.png")
    return root


def test_ids_of_the_benchmark_name_a_part_of_a_file_with_any_ending(videos):
    clips = VideoClips(videos, ["ab_c-d_1_3", "x.y_0.5_2.5", "1_10_1_3", "ab_c-d_1_3"], frames=5)
    assert clips.ids == ("ab_c-d_1_3", "x.y_0.5_2.5", "1_10_1_3")
    assert numbers(clips.frames("ab_c-d_1_3")) == [10, 15, 20, 25, 30]
    assert numbers(clips.frames("1_10_1_3")) == [10, 15, 20, 25, 30]
    shutil.copy(videos / "ab_c-d.mp4", videos / "cut_2_3.mp4")  # no part of a video "cut"
    whole = VideoClips(videos, ["cut_2_3"], frames=2)
    assert numbers(whole.frames("cut_2_3")) == [0, 49]
    expected = sample_frames(videos / "x.y.webm", 0.5, 2.5, 5)
    np.testing.assert_array_equal(clips.frames("x.y_0.5_2.5"), expected.frames)


def test_other_ids_are_paths_with_or_without_a_span(videos):
    whole, nested, bare = "ab_c-d.mp4", "158/1Q0_seg1.MKV", "158/1Q0_seg1"
    parts = ["ab_c-d.mp4@1-3", "158/1Q0_seg1@1-3"]
    clips = VideoClips(videos, [whole, nested, bare, *parts], frames=3)
    assert [numbers(clips.frames(part)) for part in parts] == [[10, 20, 30]] * 2
    expected = sample_frames(videos / whole, frames=3)
    for clip in (whole, nested, bare):
        np.testing.assert_array_equal(clips.frames(clip), expected.frames)


def test_the_directory_may_be_given_from_the_current_one(videos, monkeypatch):
    monkeypatch.chdir(videos.parent)
    ids = ["ab_c-d_1_3", "158/1Q0_seg1@1-3", "ab_c-d.mp4@1-3"]
    clips = VideoClips(videos.name, ids, frames=3)
    assert [numbers(clips.frames(clip)) for clip in ids] == [[10, 20, 30]] * 3


def test_facts_tell_what_the_frames_were(videos):
    clip, again = "ab_c-d_1_3", VideoClips(videos, ["ab_c-d_1_3"], frames=3)
    facts = again.facts(clip)  # before the frames are asked for
    frames = VideoClips(videos, [clip], frames=3).frames(clip)
    assert facts == {
        "times": [1.0, 2.0, 3.0],
        "frames": hashlib.sha256(frames.tobytes()).hexdigest(),
        "decoder": decoder_version(),
    }


def test_what_is_missing_is_named_at_the_first_use(videos):
    lost = ["lost_0_1", "lost.mp4", "ab_c", "158", "", "a\0b_0_1", "z" * 300]
    clips = VideoClips(videos, ["ab_c-d_1_3", *lost], frames=3)
    with pytest.raises(InputError) as error:
        clips.frames("ab_c-d_1_3")
    assert str(error.value) == (
        f"{videos}: 7 of the 8 clips that the benchmark asks about are missing: 'lost_0_1', "
        "'lost.mp4', 'ab_c', ..."
    )
    with pytest.raises(InputError, match=r"/nowhere: no such directory of videos$"):
        VideoClips(videos / "nowhere", ["a"], frames=3).facts("a")


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        ("ab_c-d_6_7", "the span starts at 6 s, after the video's end"),
        ("ab_c-d_1_9", "the span ends at 9 s, after the video's end"),
        ("ab_c-d.mp4@3-2", "'3-2' is not a span in seconds"),
        ("notes_0_1", "notes.mp4: "),
    ],
)
def test_a_clip_that_its_file_does_not_have_is_found_before_the_first_is_decoded(
    tmp_path, videos, clip, message
):
    shutil.copy(videos / "ab_c-d.mp4", tmp_path)
    (tmp_path / "notes.mp4").write_text("not a video")
    clips = VideoClips(tmp_path, ["ab_c-d_1_3", clip], frames=3)
    with pytest.raises(InputError) as error:
        clips.frames("ab_c-d_1_3")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_span_may_end_with_rounded_seconds_and_a_still_picture_is_a_video(videos):
    clips = VideoClips(videos, ["ab_c-d_4_5.5", "still.png"], frames=3)
    assert numbers(clips.frames("ab_c-d_4_5.5"))[-1] == 49
    assert clips.frames("still.png").shape == (3, 24, 32, 3)


def test_frames_of_a_source_are_those_that_the_encoder_reads(videos):
    clips = VideoClips(videos, ["ab_c-d_1_3", "x.y_0_5"], frames=8)
    source = SourceFrames(clips.ids, clips.frames, ENCODER)
    assert (len(source), source.shape, source.dtype) == (2, (8, 16, 16, 3), np.uint8)
    np.testing.assert_array_equal(
        source[1], resize_and_crop(clips.frames("x.y_0_5"), resize=24, crop=16)
    )
    few = VideoClips(videos, clips.ids, frames=4)
    with pytest.raises(InputError, match=r"'ab_c-d_1_3' has 4 frames, encoder\.frames is 8"):
        SourceFrames(few.ids, few.frames, ENCODER)[0]
