"""Video files are written here by PyAV with every frame's number in its grey level."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stepdiff_jax.data.video import decode_jpeg, encode_jpeg, probe, sample_frames
from stepdiff_jax.errors import InputError

LEVELS = 4
"""Grey levels between the frames of two numbers: lossy coding moves a level by less than half."""


def write_video(
    path: Path,
    times: np.ndarray,
    *,
    size: tuple[int, int] = (48, 32),
    rotation: int = 0,
    options: dict[str, str] | None = None,
    codec: str = "libx264",
) -> Path:
    """A video of len(times) <= 56 frames shown at `times` seconds; number n is grey 16 + 4 n.

    The upper left corner is white.
    """
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=Fraction(1000), options=options or {"crf": "8"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number, time in enumerate(times):
            image = np.full((size[1], size[0], 3), 16 + LEVELS * number, np.uint8)
            image[:8, :8] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = round(time * 1000)
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(frames: np.ndarray) -> list[int]:
    centre = frames[:, frames.shape[1] // 2, frames.shape[2] // 2].mean(-1)
    return np.round((centre - 16) / LEVELS).astype(int).tolist()


STEADY = np.arange(50) / 10
BURSTS = np.cumsum(np.tile([0.04, 0.04, 0.04, 0.31], 12)) - 0.04
GROUPS = {"crf": "8", "g": "6", "bf": "3"}
OPEN_GROUPS = {"crf": "8", "g": "8", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}


@pytest.mark.parametrize("times", [STEADY, BURSTS], ids=["steady", "variable rate"])
@pytest.mark.parametrize(
    "options", [{"crf": "8"}, GROUPS, OPEN_GROUPS], ids=["one group", "groups", "open groups"]
)
@pytest.mark.parametrize("span", [(0.0, 4.9), (1.23, 3.77), (2.0, 2.3), (4.0, 5.5), (4.85, 4.88)])
def test_frames_nearest_to_even_times(tmp_path, times, options, span):
    path = write_video(tmp_path / "a.mp4", times, options=options)
    sampled = sample_frames(path, *span, frames=8)
    shown = numbers(sampled.frames)
    np.testing.assert_allclose(sampled.times, times[shown], atol=2e-3)
    targets = np.linspace(span[0], min(span[1], times[-1]), 8)
    distances = np.abs(times - targets[:, None])
    np.testing.assert_allclose(np.abs(times[shown] - targets), distances.min(1), atol=2e-3)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.mov", "a.ts"])
def test_other_containers(tmp_path, name):
    codec, options = ("mpeg4", {"b": "4M", "g": "6"}) if name == "a.avi" else ("libx264", GROUPS)
    rate = 25 if name == "a.avi" else 10
    path = tmp_path / name
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in range(50):
            image = np.full((32, 48, 3), 16 + LEVELS * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    sampled = sample_frames(path, 0.91, 1.81, frames=4)
    assert numbers(sampled.frames) == [round(time * rate) for time in (0.91, 1.21, 1.51, 1.81)]


def test_av1_keeps_frames_that_are_no_references(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("libsvtav1", rate=10, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(50):
            image = np.full((64, 64, 3), 16 + LEVELS * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    shown = numbers(sample_frames(path, 1.0, 4.5, frames=8).frames)
    assert shown == [10, 15, 20, 25, 30, 35, 40, 45]


def test_whole_video_by_default(tmp_path):
    path = write_video(tmp_path / "a.mp4", STEADY)
    assert numbers(sample_frames(path, None, None, frames=2).frames) == [0, 49]


def test_few_frames_are_repeated(tmp_path):
    path = write_video(tmp_path / "a.mp4", STEADY[:3])
    sampled = sample_frames(path)
    assert numbers(sampled.frames) == [0, 0, 1, 1, 1, 1, 2, 2]
    one = write_video(tmp_path / "b.mp4", STEADY[:1])
    assert numbers(sample_frames(one).frames) == [0] * 8


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (-90, (0, -1))]
)
def test_rotation_metadata(tmp_path, rotation, corner):
    """A display matrix of r degrees turns the picture counter-clockwise by r.

    A telephone held upright writes -90, which in the file is the matrix (0, 1; -1, 0).
    """
    path = write_video(tmp_path / "a.mp4", STEADY[:9], rotation=rotation, options=GROUPS)
    data = path.read_bytes()
    matrix = np.frombuffer(data, ">i4", 9, data.index(b"tkhd") + 44) / 65536
    angle = np.deg2rad(rotation)
    np.testing.assert_allclose(matrix[[0, 1]], [np.cos(angle), -np.sin(angle)], atol=1e-4)
    frames = sample_frames(path, 0.5, 0.8, frames=2).frames
    assert frames.shape[1:3] == ((48, 32) if abs(rotation) == 90 else (32, 48))
    assert (frames[:, corner[0], corner[1]] > 230).all()
    assert (frames[:, -1 - corner[0], -1 - corner[1]] < 100).all()


def test_probe(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4", STEADY))
    assert (info.width, info.height, info.frames, info.codec) == (48, 32, 50, "h264")
    assert info.duration == pytest.approx(5.0, abs=0.11)


def write_sound(path: Path) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        silence = np.zeros((1, 16000), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def broken_files(directory: Path) -> dict[str, Path]:
    whole = write_video(directory / "whole.mp4", STEADY).read_bytes()
    files = {
        "no such video file": directory / "missing.mp4",
        "empty": directory / "empty.mp4",
        "Invalid data": directory / "headless.mp4",
        "not readable": directory / "text.mp4",
        "no video stream": write_sound(directory / "sound.mp4"),
    }
    files["empty"].write_bytes(b"")
    files["Invalid data"].write_bytes(whole[: len(whole) // 2])
    files["not readable"].write_text("this is not a video\n")
    return files


def test_unreadable_files_are_named_with_the_reason(tmp_path):
    for reason, path in broken_files(tmp_path).items():
        for read in (sample_frames, probe):
            with pytest.raises(InputError, match=reason) as caught:
                read(path)
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("extra", "seconds"), [(0, "3"), (99, "3.1")])
def test_cut_off_video(tmp_path, extra, seconds):
    """The header comes first and promises 5 s; the file ends earlier."""
    options = {"crf": "1", "g": "5", "tune": "zerolatency"}
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (50, 32, 48, 3), np.uint8)
    with av.open(path, "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for image in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    with av.open(path) as container:
        cut = [packet.pos for packet in container.demux(video=0)][30]
    path.write_bytes(path.read_bytes()[: cut + extra])
    assert sample_frames(path, 0.5, 1.5).frames.shape == (8, 32, 48, 3)
    with pytest.raises(InputError, match=rf"a\.mp4: cut off at {seconds} s of 5 s"):
        sample_frames(path, 0.5, 4.5)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [(3.0, 2.0, "span"), (-1.0, 2.0, "span"), (7.0, 9.0, "after the video's end")],
)
def test_impossible_spans(tmp_path, start, end, message):
    path = write_video(tmp_path / "a.mp4", STEADY)
    with pytest.raises(InputError, match=message):
        sample_frames(path, start, end)


def test_jpeg_round_trip():
    rows, columns = np.mgrid[:60, :90]
    frame = np.stack([rows * 4, columns * 2, rows + columns], -1).astype(np.uint8)
    data = encode_jpeg(frame[None], quality=95)
    assert len(data) == 1
    difference = decode_jpeg(data[0]).astype(int) - frame
    assert np.abs(difference).mean() < 2
    assert decode_jpeg(encode_jpeg(frame[None], short_side=30)[0]).shape == (30, 45, 3)
    with pytest.raises(InputError, match="not an image"):
        decode_jpeg(data[0][:50])
    with pytest.raises(InputError, match="not an image"):
        decode_jpeg(b"nothing")
