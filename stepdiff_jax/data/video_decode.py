"""Decoding the frames of packets, upright and as wide as they are shown."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from PIL import Image, UnidentifiedImageError

from stepdiff_jax.data.video_file import Video, VideoError, reason_of
from stepdiff_jax.data.video_packets import OddStamps, Packets

_WIDEST_PIXEL = 10
"""Pixels wider or higher than this many times are a broken header's."""

_EXIF_ORIENTATION = 274
_EXIF_MATRICES = {
    2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
    5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip


def decode_chosen(video: Video, read: Packets, chosen: Sequence[int]) -> dict[int, np.ndarray]:
    """Index of a chosen packet -> its frame, uint8 [H, W, 3]; `chosen` is in decoding order.

    Only packets that a chosen frame may depend on are decoded: each group of pictures from its
    keyframe to its last chosen frame.

    Raises:
        OddStamps: a packet's frame does not come out of the decoder under its time stamp.
        VideoError: the decoder refuses a packet.
    """
    decoder = video.stream.codec_context
    picture = Picture(video)
    wanted = {read.packets[index].pts: index for index in chosen}
    images: dict[int, np.ndarray] = {}
    # FFmpeg's own decoders check what to skip at every packet; libdav1d only once, on opening.
    per_packet = not decoder.codec.name.startswith("lib")
    for begin, end in _runs(read, chosen):
        newest: int | None = None
        for position in range(begin, end + 2):
            packet = read.packets[position] if position <= end else None
            # No frame depends on a non-reference frame: those not chosen are skipped.
            skipped = per_packet and position not in wanted.values()
            decoder.skip_frame = "NONREF" if skipped else "DEFAULT"
            for frame in _decode(video, decoder, packet, read.times[end]):
                if frame.pts is None or (newest is not None and frame.pts <= newest):
                    raise OddStamps("frames are shown in another order than that of their stamps")
                newest = frame.pts
                index = wanted.get(frame.pts)
                if index is not None:
                    images[index] = picture.upright(frame)
        decoder.flush_buffers()
    if any(index not in images for index in chosen):
        raise OddStamps("a packet shows no frame")
    return images


def decode_all(video: Video, packets: Iterable[av.Packet], first: float) -> Iterator[av.VideoFrame]:
    """The frames shown, in the order in which they are shown.

    Raises:
        VideoError: the decoder refuses a packet that frames from `first` seconds on depend on.
    """
    decoder = video.stream.codec_context
    decoder.skip_frame = "DEFAULT"
    time = 0.0
    failure: VideoError | None = None
    for packet in packets:
        stamp = packet.dts if packet.pts is None else packet.pts
        time = time if stamp is None else video.seconds(stamp)
        if packet.is_keyframe and time <= first:
            failure = None
        try:
            yield from _decode(video, decoder, packet, time)
        except VideoError as error:
            failure = error
        if failure is not None and time >= first:
            raise failure
    if failure is not None:
        raise failure
    yield from _decode(video, decoder, None, time)
    decoder.flush_buffers()


def undecodable(path: Path | str, time: float, reason: str = "") -> VideoError:
    """The error for a frame, at `time` seconds, that cannot be decoded."""
    detail = f"the frame at {time:g} s cannot be decoded{reason}"
    return VideoError(path, "frame cannot be decoded", detail)


class Picture:
    """How a video's frames are shown: their size, pixels' shape and orientation."""

    def __init__(self, video: Video):
        decoder = video.stream.codec_context
        self._path = video.path
        # For all frames, even if it changes mid-stream.
        self._size = _square_pixels(decoder, video.stream.sample_aspect_ratio)

    def upright(self, frame: av.VideoFrame) -> np.ndarray:
        """The frame with square pixels, uint8 [H, W, 3], turned or mirrored as it is shown."""
        width, height = self._size
        # One thread: starting threads for every frame costs more than they save.
        rgb = frame.reformat(format="rgb24", width=width, height=height, threads=1)
        return oriented(rgb.to_ndarray(), *self._matrix(frame))

    def _matrix(self, frame: av.VideoFrame) -> tuple[int, int, int, int]:
        """The first two rows and columns of its display matrix: x' = a x + c y, y' = b x + d y."""
        try:
            data: Any = frame.side_data.get("DISPLAYMATRIX")
        except ValueError:
            # PyAV does not know all kinds of side data, such as Exif.
            return _exif_matrix(self._path) or _rotation(frame.rotation)
        if data is None:
            return 1, 0, 0, 1
        a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).tolist()
        return a, b, c, d


def oriented(image: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """[H, W, 3] by the nearest of the eight orientations to x' = a x + c y, y' = b x + d y.

    The y axis points downwards, as in ISO/IEC 14496-12 (6.2.2) and FFmpeg's display.h.
    """
    if abs(b) + abs(c) > abs(a) + abs(d):
        image = image.swapaxes(0, 1)
        across, down = c, b
    else:
        across, down = a, d
    if across < 0:
        image = image[:, ::-1]
    if down < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _rotation(degrees: float) -> tuple[int, int, int, int]:
    """The matrix that turns by a number of degrees, counter-clockwise as PyAV gives them."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return round(cosine), -round(sine), round(sine), round(cosine)


def _exif_matrix(path: Path | str) -> tuple[int, int, int, int] | None:
    """The orientation of a still picture by its Exif data; None if it is not one."""
    try:
        with Image.open(path) as image:
            return _EXIF_MATRICES.get(image.getexif().get(_EXIF_ORIENTATION, 1), (1, 0, 0, 1))
    except (UnidentifiedImageError, OSError):
        return None


def _square_pixels(decoder: VideoCodecContext, shape: object) -> tuple[int, int]:
    """Width and height in square pixels; players stretch the side that is too short."""
    width, height = decoder.width, decoder.height
    ratio = float(shape) if shape else 1.0  # type: ignore[arg-type]
    if not 1 / _WIDEST_PIXEL <= ratio <= _WIDEST_PIXEL:
        return width, height
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def _decode(
    video: Video, decoder: VideoCodecContext, packet: av.Packet | None, time: float
) -> list[av.VideoFrame]:
    try:
        return decoder.decode(packet)
    except av.error.FFmpegError as error:
        raise undecodable(video.path, time, f" ({reason_of(error)})") from error


def _runs(read: Packets, chosen: Sequence[int]) -> list[tuple[int, int]]:
    """The runs of packets [begin, end] to decode: from keyframes to chosen frames, merged."""
    keys = [index for index, packet in enumerate(read.packets) if packet.is_keyframe]
    runs: list[tuple[int, int]] = []
    for index in chosen:
        group = bisect_right(keys, index) - 1
        # A frame shown before its group's keyframe depends on the previous group too.
        if group > 0 and read.times[index] < read.times[keys[group]]:
            group -= 1
        begin = keys[group] if group >= 0 else 0
        if runs and begin <= runs[-1][1]:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((begin, index))
    return runs
