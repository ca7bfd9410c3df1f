"""Names of frame files, numbers and sizes of frames, and what a dataset says about them."""

import io
import os
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_prep.cli.sources import Clips
from data_prep.frames.files import frames_path
from data_prep.frames.stage import write_frames
from data_prep.records.pack import pack
from launch.cli import main
from record_sources import read_lines, write_lines, write_source
from stepdiff_jax.data.records import frames_per_clip
from stepdiff_jax.data.video_names import VIDEO_SUFFIXES, video_files
from stepdiff_jax.errors import InputError
from video_files import write

TITLE = "\u6559\u7a0b" * 35
"""A Chinese title: 210 bytes, which fit a file system; escaped they are 630."""

NAMES = st.text(min_size=1, max_size=400)


@given(NAMES, NAMES)
def test_frame_files_are_different_for_different_clips(first, second):
    paths = [frames_path("v.mp4", first), frames_path("v.mp4", second)]
    assert (paths[0] == paths[1]) == (first == second)
    for path in paths:
        assert path.parts[:2] == ("frames", "v") and len(path.parts) == 3
        assert len(os.fsencode(path.name)) <= 255


@given(NAMES)
def test_directories_of_videos_stay_inside_frames(video):
    path = frames_path(f"{video}.mp4", "c")
    assert path.parts[0] == "frames" and ".." not in path.parts
    assert all(len(part) <= 255 for part in path.parts)


@pytest.mark.parametrize("name", ["abc_1.0_2.5", "-a b", "\u00e9", "x" * 251, "%"])
def test_short_names_are_escaped_as_in_a_url(name):
    assert frames_path("v.mp4", name) == Path("frames/v", f"{quote(name, safe='')}.tar")


def test_long_names_are_cut_at_a_whole_escape_and_end_with_a_digest():
    name = frames_path(f"{TITLE}.mp4", "c").parts[1]
    readable, digest = name.split("+")
    assert quote(TITLE).startswith(readable) and len(name) > 240
    assert len(readable) % 3 == 0 and len(digest) == 32


def test_a_long_title_and_a_name_that_is_not_utf_8_come_through(tmp_path):
    latin = os.fsdecode(b"caf\xe9.mp4")
    rows = []
    for name in (f"{TITLE}.mp4", latin, "a.mp4"):
        write(tmp_path / name)
        rows.append({"clip": f"{Path(name).stem}_1_2", "video": name, "start": 1.0, "end": 2.0})
    rows.append({"clip": "half", "video": "\ud83d.mp4", "start": 1.0, "end": 2.0})
    write_lines(tmp_path / "clips.jsonl", rows)
    summary = write_frames(tmp_path / "clips.jsonl", tmp_path / "frames.jsonl", processes=1)
    assert summary["dropped"] == {"video file is missing": 1}
    found = read_lines(tmp_path / "frames.jsonl")
    assert [row["clip"] for row in found] == [f"{TITLE}_1_2", "caf\ufffd_1_2", "a_1_2"]
    assert all((tmp_path / row["file"]).is_file() for row in found)


def stored(directory: Path, row: dict) -> list[Image.Image]:
    with tarfile.open(directory / row["file"]) as archive:
        return [Image.open(io.BytesIO(archive.extractfile(one).read())) for one in archive]


@pytest.mark.parametrize(("frames", "side", "size"), [(4, 24, (32, 24)), (16, 256, (64, 48))])
def test_another_number_and_size_of_frames(tmp_path, capsys, frames, side, size):
    write(tmp_path / "a.mp4")
    row = {"clip": "a", "video": "a.mp4", "start": 1.0, "end": 4.0}
    write_lines(tmp_path / "clips.jsonl", [row])
    words = ["--clips", str(tmp_path / "clips.jsonl"), "--processes", "1"]
    words += ["--destination", str(tmp_path / "frames.jsonl")]
    words += ["--frames", str(frames), "--short-side", str(side)]
    assert main(["prep", "frames", *words]) == 0
    (line,) = read_lines(tmp_path / "frames.jsonl")
    assert len(line["times"]) == frames and (line["width"], line["height"]) == size
    assert [image.size for image in stored(tmp_path, line)] == [size] * frames
    capsys.readouterr()
    assert main(["prep", "frames", *words[:-1], "100"]) == 2
    assert "was made with short side" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("frames", "side", "message"),
    [(0, 256, "--frames must be from 1 to 1024, got 0"), (-1, 256, "--frames"),
     (10**9, 256, "--frames"), (8, 0, "--short-side must be from 16 to 8192 pixels, got 0"),
     (8, 10**9, "--short-side")],
)  # fmt: skip
def test_absurd_numbers_are_refused(tmp_path, frames, side, message):
    with pytest.raises(InputError, match=message):
        write_frames(
            tmp_path / "none.jsonl", tmp_path / "frames.jsonl", frames=frames, short_side=side
        )


def test_a_dataset_says_how_many_frames_its_clips_have(tmp_path):
    source = write_source(tmp_path / "source")
    pack(source, tmp_path / "data")
    assert frames_per_clip(tmp_path / "data", "train") == 8
    rows = read_lines(source / "frames.jsonl")
    rows[1]["times"] = rows[1]["times"][:4]
    write_lines(source / "frames.jsonl", rows)
    with pytest.raises(InputError, match=rf"{rows[1]['clip']}' has 4 frames, but .* has 8"):
        pack(source, tmp_path / "other")


def test_endings_of_videos_in_either_case_are_found_and_named():
    assert {".mp4", ".avi", ".mov", ".3gp"} <= set(VIDEO_SUFFIXES)
    assert {"a.mp4", "a.MP4", "a.MOV"} <= set(video_files("a"))


def test_the_help_names_all_endings(capsys):
    with pytest.raises(SystemExit):
        main(["prep", "clips", "--help"])
    told = capsys.readouterr().out
    assert Clips.__doc__ and all(suffix in told for suffix in VIDEO_SUFFIXES)
