"""How frames are shown: orientation, shape of pixels, and which of a file's streams."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from stepdiff_jax.data.video import sample_frames
from stepdiff_jax.data.video_decode import oriented
from video_files import numbers, picture, write

EIGHT = {
    "identity": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "upside down mirrored": (1, 0, 0, -1),
    "180": (-1, 0, 0, -1),
    "90": (0, -1, 1, 0),
    "-90": (0, 1, -1, 0),
    "transposed": (0, 1, 1, 0),
    "anti-transposed": (0, -1, -1, 0),
}
"""(a, b, c, d) of x' = a x + c y, y' = b x + d y, with y downwards (ISO/IEC 14496-12, 6.2.2)."""


def corner(frame: np.ndarray) -> tuple[bool, bool]:
    """Whether the white corner is on the right, and whether it is at the bottom."""
    white = [
        (right, below)
        for right in (False, True)
        for below in (False, True)
        if frame[-3 if below else 2, -3 if right else 2].min() > 200
    ]
    (found,) = white
    return found


def expected_corner(a, b, c, d):
    """Where the matrix puts the upper left corner of a picture around the origin."""
    return a * -1 + c * -1 > 0, b * -1 + d * -1 > 0


ROTATIONS = ("identity", "180", "90", "-90")
"""All that Matroska stores."""


@pytest.mark.parametrize(
    ("name", "matrix"),
    [("a.mp4", name) for name in EIGHT] + [("a.mkv", name) for name in ROTATIONS],
)
def test_all_orientations(tmp_path, name, matrix):
    a, b, c, d = matrix = EIGHT[matrix]
    one = 1 << 16

    def turn(stream):
        stream.set_display_matrix([a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30])

    frames = sample_frames(write(tmp_path / name, prepare=turn), 1.0, 2.0, 3).frames
    assert frames.shape[1:3] == ((48, 64) if a else (64, 48))
    assert numbers(frames) == [10, 15, 20]
    assert {corner(frame) for frame in frames} == {expected_corner(*matrix)}


@pytest.mark.parametrize("matrix", EIGHT.values(), ids=EIGHT.keys())
@pytest.mark.parametrize("scale", [1, 65536])
def test_every_pixel_goes_where_the_matrix_says(matrix, scale):
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    a, b, c, d = matrix
    turned = oriented(image, *(value * scale for value in matrix))
    rows, columns = np.mgrid[:2, :3]
    across, down = a * columns + c * rows, b * columns + d * rows
    np.testing.assert_array_equal(turned[down - down.min(), across - across.min()], image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_still_pictures_by_their_exif_data(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(picture(20)).save(tmp_path / "a.jpg", quality=95, exif=exif)
    (frame,) = sample_frames(tmp_path / "a.jpg", frames=1).frames
    assert frame.shape[:2] == ((48, 64) if orientation < 5 else (64, 48))
    right, below = {
        1: (0, 0),
        2: (1, 0),
        3: (1, 1),
        4: (0, 1),
        5: (0, 0),
        6: (1, 0),
        7: (1, 1),
        8: (0, 1),
    }[orientation]
    assert corner(frame) == (bool(right), bool(below))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp"])
@pytest.mark.parametrize("span", [(None, None), (0.0, 1.0), (3.0, 9.0)])
def test_a_still_picture_is_shown_at_any_time(tmp_path, ending, span):
    Image.fromarray(picture(20)).save(tmp_path / f"a.{ending}", quality=95)
    assert numbers(sample_frames(tmp_path / f"a.{ending}", *span).frames) == [20] * 8


@pytest.mark.parametrize(
    ("shape", "size"),
    [(Fraction(2), (128, 48)), (Fraction(1, 2), (64, 96)), (Fraction(64, 45), (91, 48)),
     (Fraction(1), (64, 48)), (Fraction(1000), (64, 48))],
)  # fmt: skip
def test_pixels_are_square(tmp_path, shape, size):
    def stretch(stream):
        stream.codec_context.sample_aspect_ratio = shape

    frames = sample_frames(write(tmp_path / "a.mp4", prepare=stretch), 1.0, 2.0, 2).frames
    assert frames.shape[1:3] == size[::-1]
    assert numbers(frames) == [10, 20]


def write_two(path, sizes, dispositions):
    """Two video streams; the frames of the second begin at 30."""
    with av.open(str(path), "w") as container:
        packets = []
        streams = []
        for size, disposition in zip(sizes, dispositions, strict=True):
            stream = container.add_stream("libx264", rate=10, options={"crf": "8"})
            (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
            stream.disposition = disposition
            streams.append(stream)
        for index, stream in enumerate(streams):
            for number in range(20):
                image = picture(30 * index + number, (stream.width, stream.height))
                packets += stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
            packets += stream.encode()
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


NONE = Disposition(0)


@pytest.mark.parametrize(
    ("sizes", "dispositions", "first"),
    [
        (((32, 32), (64, 48)), (NONE, NONE), 30),  # a preview before the video
        (((64, 48), (32, 32)), (NONE, NONE), 0),
        (((32, 32), (64, 48)), (Disposition.default, NONE), 0),
        (((64, 48), (64, 48)), (NONE, NONE), 0),
    ],
)
def test_of_several_streams_the_one_that_ffmpeg_shows(tmp_path, sizes, dispositions, first):
    path = write_two(tmp_path / "a.mkv", sizes, dispositions)
    assert numbers(sample_frames(path, 1.0, 1.7).frames) == list(range(first + 10, first + 18))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("disposition", [Disposition.attached_pic, NONE], ids=["flag", "no flag"])
def test_cover_art_before_the_video_is_none(tmp_path, name, disposition):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 480, "yuvj420p"
        cover.disposition = disposition
        stream = container.add_stream("libx264", rate=10, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        art = av.VideoFrame.from_ndarray(picture(50, (640, 480)), format="rgb24")
        container.mux(cover.encode(art))
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames = sample_frames(path, 1.0, 1.7).frames
    assert numbers(frames) == list(range(10, 18))
