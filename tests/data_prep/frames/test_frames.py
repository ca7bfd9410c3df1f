"""The frames stage on real files: what breaks is quarantined by reason, all else comes through."""

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from data.test_video import write_sound, write_video
from data_prep.frames import decode as clip_frames
from data_prep.frames.decode import ClipDecoder, Span, Undecodable
from data_prep.frames.files import read_frames, read_images
from data_prep.frames.stage import write_frames
from data_prep.stage import Shard
from record_sources import read_lines, write_lines, write_source
from stepdiff_jax.data.video import decoder_version, sample_frames
from stepdiff_jax.errors import InputError

TIMES = [number / 10 for number in range(50)]


def write_clips(directory: Path, spans: dict[str, tuple[str, float, float]]) -> Path:
    """Clip -> (file, start, end)."""
    rows = [
        {"clip": clip, "video": video, "start": start, "end": end}
        for clip, (video, start, end) in spans.items()
    ]
    write_lines(directory / "clips.jsonl", rows)
    return directory / "clips.jsonl"


def images(directory: Path, clip: str) -> list[np.ndarray]:
    """As any program that opens tar archives and JPEG images would see them."""
    row = next(row for row in read_lines(directory / "frames.jsonl") if row["clip"] == clip)
    with tarfile.open(directory / row["file"]) as archive:
        assert archive.getnames() == [f"{number}.jpg" for number in range(8)]
        return [
            np.asarray(Image.open(io.BytesIO(archive.extractfile(member).read())))
            for member in archive
        ]


def mdat(path: Path) -> int:
    """Where the compressed frames of an MP4 begin."""
    return path.read_bytes().index(b"mdat") + 4


def break_video(directory: Path, kind: str) -> Path:
    path = write_video(directory / f"{kind}.mp4", TIMES, options={"g": "10"})
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("<html>404 Not Found</html>")
    elif kind == "sound":
        return write_sound(directory / "sound.m4a")
    elif kind == "no_index":  # a download that broke off: the index comes last
        path.write_bytes(data[: data.index(b"moov") - 4])
    elif kind == "header_only":
        path.write_bytes(data[:40])
    elif kind == "directory":
        path.unlink()
        path.mkdir()
    elif kind == "garbled":  # in the middle, as a bad sector leaves it
        start = mdat(path) + 60
        end = data.index(b"moov") - 4
        noise = np.random.default_rng(0).integers(0, 255, end - start, np.uint8).tobytes()
        path.write_bytes(data[:start] + noise + data[end:])
    return path


def cut_off(directory: Path) -> Path:
    """The index comes first, and the frames of the last three seconds are not there."""
    path = directory / "whole.mp4"
    shutil.copy(write_video(directory / "plain.mp4", TIMES, options={"g": "10"}), path)
    moved = directory / "cut.mp4"
    with (
        av.open(str(path)) as source,
        av.open(str(moved), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = moved.read_bytes()
    start = data.index(b"mdat") + 4
    moved.write_bytes(data[: start + (len(data) - start) * 2 // 5])
    return moved


BROKEN = {
    "missing": "video file is missing",
    "empty": "file is empty",
    "text": "not readable as video",
    "sound": "no video stream",
    "no_index": "not readable as video",
    "header_only": "not readable as video",
    "directory": "not a file",
    "garbled": "frame cannot be decoded",
}


def test_ten_broken_videos_are_quarantined_with_their_reasons_and_nothing_else(tmp_path):
    spans, reasons = {}, {}
    for number, (kind, reason) in enumerate(BROKEN.items()):
        path = break_video(tmp_path, kind)
        good = write_video(tmp_path / f"good{number}.mp4", TIMES)
        spans[f"{kind}_1_3"] = (path.name, 1.0, 3.0)
        spans[f"good{number}_1_3"] = (good.name, 1.0, 3.0)
        reasons[f"{kind}_1_3"] = reason
    spans["cut_1_4.5"] = (cut_off(tmp_path).name, 1.0, 4.5)
    reasons["cut_1_4.5"] = "video is cut off"
    spans["good0_9_12"] = ("good0.mp4", 9.0, 12.0)
    reasons["good0_9_12"] = "span after the video's end"
    spans["good0_3_2"] = ("good0.mp4", 3.0, 2.0)
    reasons["good0_3_2"] = "span is empty or starts before the video"
    spans["good0_2_90"] = ("good0.mp4", 2.0, 90.0)
    reasons["good0_2_90"] = "span ends after the video"
    summary = write_frames(write_clips(tmp_path, spans), tmp_path / "frames.jsonl")
    quarantined = read_lines(tmp_path / "frames.quarantine.jsonl")
    assert {row["clip"]: row["reason"] for row in quarantined} == reasons
    assert all(row["detail"].startswith(str(tmp_path / row["video"])) for row in quarantined)
    assert summary["out"] == 8 and summary["in"] == 8 + len(reasons)
    assert sum(summary["dropped"].values()) == len(reasons) >= 10
    assert [row["clip"] for row in read_lines(tmp_path / "frames.jsonl")] == [
        f"good{number}_1_3" for number in range(8)
    ]


def write_codec(path: Path, codec: str, size: tuple[int, int], frames: int, **options) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p" if size[0] % 2 else "yuv420p"
        for number in range(frames):
            image = np.full((size[1], size[0], 3), 40 + 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_odd_videos_come_through(tmp_path):
    variable = [0, 0.1, 0.15, 0.9, 1.0, 1.05, 2.2, 2.3, 3.0]
    write_video(tmp_path / "variable.mp4", variable)
    write_codec(tmp_path / "one.mp4", "libx264", (32, 32), 1)
    write_codec(tmp_path / "odd.mp4", "libx264", (51, 33), 30)
    write_codec(tmp_path / "vp9.webm", "libvpx-vp9", (64, 48), 30)
    write_codec(tmp_path / "av1.mkv", "libsvtav1", (64, 64), 30)
    write_codec(tmp_path / "large.mp4", "libx264", (640, 480), 30, preset="ultrafast")
    files = ["variable.mp4", "one.mp4", "odd.mp4", "vp9.webm", "av1.mkv", "large.mp4"]
    ends = dict.fromkeys(files, 2.5) | {"one.mp4": 0.5}
    spans = {f"{Path(name).stem}_0_{end}": (name, 0.0, end) for name, end in ends.items()}
    summary = write_frames(write_clips(tmp_path, spans), tmp_path / "frames.jsonl")
    assert summary["dropped"] == {}
    rows = {row["clip"]: row for row in read_lines(tmp_path / "frames.jsonl")}
    for clip, (name, start, end) in spans.items():
        row = rows[clip]
        sampled = sample_frames(tmp_path / name, start, end)
        assert row["times"] == sampled.times.tolist()
        assert row["decoder"] == decoder_version()
        found = images(tmp_path, clip)
        assert {image.shape for image in found} == {(row["height"], row["width"], 3)}
        if name != "large.mp4":
            difference = np.abs(np.stack(found).astype(int) - sampled.frames).mean()
            assert difference < 4
    assert (rows["large_0_2.5"]["width"], rows["large_0_2.5"]["height"]) == (341, 256)
    assert set(rows["variable_0_2.5"]["times"]) <= set(variable)
    assert set(rows["one_0_0.5"]["times"]) == {0.0}


def test_one_process_and_two_and_shards_leave_the_same(tmp_path):
    source = write_source(tmp_path / "source")
    clips = source / "clips.jsonl"

    def left(directory: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(directory)): path.read_bytes()
            for path in directory.rglob("*")
            if path.is_file()
        }

    write_frames(clips, tmp_path / "two/frames.jsonl", processes=2)
    whole = left(tmp_path / "two")
    assert {name: whole[name] for name in whole if name.endswith(".tar")} == {
        name: data for name, data in left(source).items() if name.endswith(".tar")
    }
    for number in range(1, 5):
        shard = Shard(number, 4)
        write_frames(clips, tmp_path / "four/frames.jsonl", processes=1, shard=shard)
    four = left(tmp_path / "four")
    lines = [row for name in sorted(four) if name.endswith("4.jsonl") for row in [four[name]]]
    assert sorted(b"".join(lines).splitlines()) == sorted(whole["frames.jsonl"].splitlines())
    for name in whole:
        if name.endswith(".tar"):
            assert four[name] == whole[name]


def crash_on_text(span: Span) -> Undecodable:
    """What a codec does with a file that it was not made for, now and then."""
    if span.video.suffix == ".txt":
        os.abort()
    return clip_frames.decode_clip(span)


def test_a_video_that_crashes_its_decoder_costs_only_its_own_clip(tmp_path):
    good = write_video(tmp_path / "good.mp4", TIMES)
    spans = [Span(good, 0, 2), Span(tmp_path / "bad.txt", 0, 2), Span(good, 1, 3)]
    with ClipDecoder(2, decode=crash_on_text) as decoder:
        first, crashed, last = decoder(spans)
        (again,) = decoder([Span(good, 0, 2)])
    assert isinstance(crashed, Undecodable) and crashed.kind == "decoder crashed"
    assert str(tmp_path / "bad.txt") in crashed.detail
    assert again == first != last
    assert len(first.images) == len(last.images) == 8


def test_stored_frames_are_read_back(tmp_path):
    source = write_source(tmp_path / "source")
    stored = read_frames(source)
    assert len(stored) == 15
    for clip, one in stored.items():
        found = [np.asarray(Image.open(io.BytesIO(data))) for data in read_images(one)]
        np.testing.assert_array_equal(found, images(source, clip))
        assert len(one.times) == 8 and one.decoder == decoder_version()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video": None}, "field 'video' is missing"),
        ({"start": "1"}, "field 'start' must be a finite number, got '1'"),
        ({"end": True}, "field 'end' must be a finite number, got True"),
        ({"clip": "train-0_0_1.5"}, "field 'clip' appears twice"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, changes, message):
    source = write_source(tmp_path / "source")
    rows = read_lines(source / "clips.jsonl")
    row = {**rows[1], **changes}
    rows[1] = {name: value for name, value in row.items() if value is not None}
    write_lines(source / "clips.jsonl", rows)
    with pytest.raises(InputError, match=rf"clips\.jsonl, line 2: {message}"):
        write_frames(source / "clips.jsonl", tmp_path / "frames.jsonl")


def test_the_summary_tells_how_frames_were_made(tmp_path):
    source = write_source(tmp_path / "source")
    summary = json.loads((source / "frames.summary.json").read_text())
    assert summary["settings"] == {"frames": 8, "short side": 256, "JPEG quality": 92}
    assert (summary["in"], summary["out"], summary["dropped"]) == (15, 15, {})
