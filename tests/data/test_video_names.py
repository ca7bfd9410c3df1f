"""Names that have another meaning to FFmpeg or to Python, and what the file system says."""

import os
from pathlib import Path

import pytest
from PIL import Image

from stepdiff_jax.data.video import VideoError, probe, sample_frames
from stepdiff_jax.data.video_span import VideoSpan, check_videos, parse_video
from stepdiff_jax.errors import InputError
from video_files import numbers, picture, write


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> bytes:
    return write(tmp_path_factory.mktemp("video") / "a.mp4").read_bytes()


NAMES = [
    "-x.mp4",
    "http:a.mp4",
    "concat:a.mp4|b.mp4",
    "pipe:0",
    "file:a.mp4",
    "a%03d.mp4",
    "a [1] (2) {3}.mp4",
    "a@1-2.mp4",
    "a@1-2",
    "me@example.org.mp4",
    "a b\n.mp4",
    "100%.mp4",
    "~.mp4",
    "$HOME.mp4",
    "\u6559\u7a0b" * 41 + ".mp4",
    "x" * 255,
    os.fsdecode(b"caf\xe9.mp4"),
]


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name)[:20] for name in NAMES])
def test_a_name_means_the_file(tmp_path, monkeypatch, video, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(video)
    for path in (name, Path(name), tmp_path / name):
        assert numbers(sample_frames(path, 1.0, 2.0, 2).frames) == [10, 20]
        assert probe(path).duration == 5
    assert parse_video(name) == VideoSpan(Path(name))
    assert parse_video(f"{name}@1.5-2") == VideoSpan(Path(name), 1.5, 2.0)
    check_videos([name, f"{name}@1.5-2"])


@pytest.mark.parametrize("name", ["a%03d.jpg", "a*.png", "a?[1].jpeg", "%d"])
def test_a_still_picture_is_no_pattern_of_many(tmp_path, name):
    for number in range(3):
        Image.fromarray(picture(number)).save(tmp_path / f"a{number:03d}.jpg")
    Image.fromarray(picture(20)).save(tmp_path / name, "png" if name == "a*.png" else "jpeg")
    assert numbers(sample_frames(tmp_path / name, frames=2).frames) == [20, 20]


@pytest.mark.parametrize("name", ["me@lab", "http:", "a%d", "[x]", os.fsdecode(b"\xe9")])
def test_a_directory_is_a_directory(tmp_path, monkeypatch, video, name):
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    Path(name, "a.mp4").write_bytes(video)
    assert parse_video(f"{name}/a.mp4") == VideoSpan(Path(name, "a.mp4"))
    assert parse_video(f"{name}/a.mp4@1-2") == VideoSpan(Path(name, "a.mp4"), 1.0, 2.0)
    check_videos([f"{name}/a.mp4@1-2"])
    for missing in (f"{name}/missing.mp4", f"{name}/missing.mp4@1-2", f"{name}@1-2/a.mp4"):
        with pytest.raises(InputError, match="no such video file"):
            check_videos([missing])


@pytest.mark.parametrize(
    "span", ["3-2", "2-2", "x", "", "1", "-1-2", "nan-2", "1-inf", "1-2-3", "1e9-2e9"]
)
def test_what_is_no_span(tmp_path, video, span):
    path = tmp_path / "a.mp4"
    path.write_bytes(video)
    with pytest.raises(InputError, match="is not a span in seconds: write path@start-end"):
        parse_video(f"{path}@{span}")


def test_a_span_past_the_end_names_the_duration(tmp_path, video):
    path = tmp_path / "a.mp4"
    path.write_bytes(video)
    with pytest.raises(InputError) as caught:
        check_videos([f"{path}@2-90"])
    assert str(caught.value) == f"{path}: the span ends at 90 s, after the video's end at 5 s"


def test_a_link_without_an_ending(tmp_path, video):
    (tmp_path / "blob").write_bytes(video)
    (tmp_path / "a").symlink_to("blob")
    assert numbers(sample_frames(tmp_path / "a", 1.0, 2.0, 2).frames) == [10, 20]


def reason(path) -> tuple[str, str]:
    with pytest.raises(VideoError) as caught:
        sample_frames(path)
    with pytest.raises(VideoError) as probed:
        probe(path)
    assert probed.value.kind == caught.value.kind
    assert "\n" not in str(caught.value)
    return caught.value.kind, caught.value.detail


def test_the_reason_is_the_cause(tmp_path, video):
    missing = "video file is missing"
    assert reason(tmp_path / "a.mp4") == (missing, "no such video file")
    assert reason(tmp_path / "gone" / "a.mp4") == (missing, "no such video file")
    (tmp_path / "file").write_bytes(b"")
    assert reason(tmp_path / "file" / "a.mp4") == (missing, "no such video file")
    assert reason(tmp_path / "file")[0] == "file is empty"
    (tmp_path / "dead").symlink_to("gone.mp4")
    assert reason(tmp_path / "dead") == (missing, "no such video file: a link to gone.mp4")
    (tmp_path / "loop").symlink_to("loop")
    assert reason(tmp_path / "loop")[0] == missing
    assert reason(tmp_path / ("x" * 300)) == (missing, "no such video file (File name too long)")
    assert reason(tmp_path / "a\0b.mp4")[0] == missing
    assert reason(tmp_path / "\ud83d.mp4")[0] == missing  # not from a file system
    assert reason(tmp_path) == ("not a file", "is a directory")
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe") == ("not a file", "is not a file")
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-ENDLIST\nhttp://127.0.0.1:9/a.ts\n")
    assert reason(tmp_path / "a.m3u8")[0] in ("not readable as video", "no video stream")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path, video):
    path = tmp_path / "a.mp4"
    path.write_bytes(video)
    path.chmod(0)
    assert reason(path) == ("no permission", "the file may not be read")
