"""Reading video frames by presentation time, and JPEG coding of frames, with PyAV and Pillow.

Frames are chosen by their presentation times, never by an average rate. Only packets that a chosen
frame may depend on are decoded: each group of pictures from its keyframe to its last chosen frame.
"""

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image, UnidentifiedImageError

from stepdiff_jax.errors import InputError
from stepdiff_jax.outside import require_readable

SHORT_SIDE = 256
"""The short side of stored frames, in pixels."""

JPEG_QUALITY = 92

MISSING = "video file is missing"

TRUNCATION_SECONDS = 1.0
"""A video that ends this much before its header says, within the requested span, is truncated."""


class VideoError(InputError):
    """A video that cannot be read; `kind` is the same for all files that fail in the same way."""

    def __init__(self, path: Path | str, kind: str, detail: str):
        super().__init__(f"{path}: {detail}")
        self.kind, self.detail = kind, detail


@dataclass(frozen=True)
class SampledFrames:
    """`frames` uint8 [T, H, W, 3] and their presentation `times` float64 [T] in seconds."""

    frames: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """A video stream: `duration` in seconds; size as stored, before any rotation.

    `frames` is 0 if the file does not say.
    """

    duration: float
    width: int
    height: int
    frames: int
    codec: str


def probe(path: Path | str) -> VideoInfo:
    """Reads the header of a video file.

    Raises:
        VideoError: no such file, not readable as video, no video stream, or an unknown duration.
    """
    with _open(path) as (container, stream):
        duration = _header_end(container, stream)
        if duration is None:
            detail = "the file does not say how long the video is"
            raise VideoError(path, "duration is unknown", detail)
        return VideoInfo(
            duration=duration,
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            frames=stream.frames,
            codec=stream.codec_context.name,
        )


def sample_frames(
    path: Path | str, start: float | None = None, end: float | None = None, frames: int = 8
) -> SampledFrames:
    """The frames nearest to `frames` times spread evenly over [start, end], both ends included.

    Times are in seconds from the video's first frame. `end` is clamped to the last frame; None
    means the video's own start or end. Frames repeat if the span has too few. Rotation metadata
    is applied.

    Raises:
        VideoError: a span that is empty or outside the video, or a file that is missing, is not
            a video, or is cut off before the span's end.
    """
    if frames < 1:
        raise InputError(f"{path}: frames: {frames}, must be at least 1")
    first = 0.0 if start is None else float(start)
    last = np.inf if end is None else float(end)
    if not 0 <= first <= last:
        detail = f"no such span of time: {start} to {end} seconds"
        raise VideoError(path, "span is empty or starts before the video", detail)
    with _open(path) as (container, stream):
        read = _read_packets(path, container, stream, first, last)
        promised = _header_end(container, stream) or 0.0
        if read.packets and not np.isfinite(read.times).any():
            raise _undecodable(path, first, " (no keyframe)")
        if read.end + TRUNCATION_SECONDS < min(last, promised) or read.end <= first < promised:
            detail = f"cut off at {max(read.end, 0):g} s of {promised:g} s"
            raise VideoError(path, "video is cut off", detail)
        if not first < read.end:
            detail = f"the span starts at {first:g} s, after the video's end"
            raise VideoError(path, "span after the video's end", detail)
        newest = read.times[np.isfinite(read.times)].max()
        targets = np.linspace(min(first, newest), min(last, newest), frames)
        chosen = np.abs(read.times - targets[:, None]).argmin(1).tolist()
        images = _decode(path, stream, read, sorted(set(chosen)))
    return SampledFrames(np.stack([images[index] for index in chosen]), read.times[chosen])


def decoder_version() -> str:
    """The versions of PyAV and its libavcodec, which decode."""
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"PyAV {av.__version__}, libavcodec {codec}"


def encode_jpeg(
    frames: np.ndarray, short_side: int = SHORT_SIDE, quality: int = JPEG_QUALITY
) -> list[bytes]:
    """JPEG bytes of uint8 frames [T, H, W, 3], shrunk to `short_side` if larger."""
    height, width = frames.shape[1:3]
    scale = min(1.0, short_side / min(height, width))
    size = (round(width * scale), round(height * scale))
    return [_encode_one(frame, size, quality) for frame in frames]


def decode_jpeg(data: bytes) -> np.ndarray:
    """The image as uint8 [H, W, 3].

    Raises:
        InputError: `data` is not an image.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"stored frame of {len(data)} bytes is not an image: {error}") from error


def _encode_one(frame: np.ndarray, size: tuple[int, int], quality: int) -> bytes:
    image = Image.fromarray(frame)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@contextmanager
def _open(path: Path | str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its video stream; what is wrong with the file becomes a VideoError.

    Raises OutsideFailure if the disk fails, which FFmpeg may report as the end of the file.
    """
    try:
        if not Path(path).exists():
            raise VideoError(path, MISSING, "no such video file")
        if not Path(path).is_file():
            raise VideoError(path, "not a file", "is not a file")
        if Path(path).stat().st_size == 0:
            raise VideoError(path, "file is empty", "the file is empty")
        with av.open(str(path)) as container:
            streams = [
                stream
                for stream in container.streams.video
                if not stream.disposition & av.stream.Disposition.attached_pic
            ]
            if not streams:
                raise VideoError(path, "no video stream", "has no video stream")
            stream = streams[0]
            if stream.codec_context is None:
                raise VideoError(path, "no decoder", "no decoder for its video stream")
            yield container, stream
    except VideoError as error:
        if error.kind not in (MISSING, "not a file"):
            require_readable(path)
        raise
    except PermissionError as error:
        raise VideoError(path, "no permission", "the file may not be read") from error
    except (av.error.FFmpegError, OSError, UnicodeDecodeError) as error:
        require_readable(path)
        detail = f"not readable as video ({_reason(error)})"
        raise VideoError(path, "not readable as video", detail) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _tick(stream: VideoStream) -> Fraction:
    """Seconds per unit of the stream's time stamps."""
    return stream.time_base or Fraction(1, av.time_base)


def _seconds(stream: VideoStream, stamp: int) -> float:
    """A time stamp as seconds after the stream's start."""
    return float((stamp - (stream.start_time or 0)) * _tick(stream))


def _header_end(container: InputContainer, stream: VideoStream) -> float | None:
    """The video's duration from its header; the container's only if it has no other stream."""
    if stream.duration:
        return float(stream.duration * _tick(stream))
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


@dataclass(frozen=True)
class _Packets:
    """Compressed frames in decoding order with their times in seconds.

    `times` is infinite if a packet's frame is not shown or cannot be decoded from these packets.
    `key_time` is the time of the first keyframe, `end` the end of the last frame shown.
    """

    packets: list
    times: np.ndarray
    key_time: float
    end: float


def _read_packets(
    path: Path | str, container: InputContainer, stream: VideoStream, first: float, last: float
) -> _Packets:
    """The packets of frames that may be nearest to a time in the span, and their dependencies."""
    back = 0.0
    while first - back > 0:
        offset = round((first - back) / _tick(stream)) + (stream.start_time or 0)
        container.seek(offset, stream=stream)
        read = _demux(path, container, stream, last)
        if read.key_time <= first:
            return read
        # Some demuxers seek by decoding time, and so land a few frames too late.
        back = 2 * back + 1.0
    if back:
        container.seek(stream.start_time or 0, stream=stream)
    return _demux(path, container, stream, last)


def _demux(
    path: Path | str, container: InputContainer, stream: VideoStream, last: float
) -> _Packets:
    packets: list = []
    times: list[float] = []
    key_time, end = np.inf, -np.inf
    for packet in container.demux(stream):
        if not packet.size:
            continue
        time = _seconds(stream, _stamp(path, packet))
        if packet.is_keyframe and key_time == np.inf:
            key_time = time
        # Frames before the first keyframe depend on frames that were not read.
        shown = time >= key_time and not packet.is_discard
        packets.append(packet)
        times.append(time if shown else np.inf)
        if shown:
            end = max(end, time + float((packet.duration or 0) * _tick(stream)))
        # No frame is shown before it is decoded, so the following ones are shown later still.
        if shown and time > last and (packet.dts is None or _seconds(stream, packet.dts) > last):
            break
    return _Packets(packets, np.asarray(times), key_time, end)


def _stamp(path: Path | str, packet_or_frame: av.Packet | av.VideoFrame) -> int:
    stamp = packet_or_frame.dts if packet_or_frame.pts is None else packet_or_frame.pts
    if stamp is None:
        detail = "its frames have no time stamps"
        raise VideoError(path, "frames have no time stamps", detail)
    return stamp


def _decode(
    path: Path | str, stream: VideoStream, read: _Packets, chosen: Sequence[int]
) -> dict[int, np.ndarray]:
    """Index of a chosen packet -> its frame, uint8 [H, W, 3]; `chosen` is in decoding order."""
    decoder = stream.codec_context
    size = (decoder.width, decoder.height)  # for all frames, even if it changes mid-stream
    wanted = {_stamp(path, read.packets[index]): index for index in chosen}
    images: dict[int, np.ndarray] = {}
    # FFmpeg's own decoders check what to skip at every packet; libdav1d only once, on opening.
    per_packet = not decoder.codec.name.startswith("lib")
    for begin, end in _runs(read, chosen):
        for position in range(begin, end + 2):
            packet = read.packets[position] if position <= end else None
            # No frame depends on a non-reference frame: those not chosen are skipped.
            skipped = per_packet and position not in wanted.values()
            decoder.skip_frame = "NONREF" if skipped else "DEFAULT"
            try:
                decoded = decoder.decode(packet)
            except av.error.FFmpegError as error:
                raise _undecodable(path, read.times[end], f" ({_reason(error)})") from error
            for frame in decoded:
                index = wanted.get(_stamp(path, frame))
                if index is not None:
                    images[index] = _upright(frame, size)
        decoder.flush_buffers()
    for index in chosen:
        if index not in images:
            raise _undecodable(path, read.times[index])
    return images


def _undecodable(path: Path | str, time: float, reason: str = "") -> VideoError:
    detail = f"the frame at {time:g} s cannot be decoded{reason}"
    return VideoError(path, "frame cannot be decoded", detail)


def _runs(read: _Packets, chosen: Sequence[int]) -> list[tuple[int, int]]:
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


def _upright(frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
    """The frame at `size` (width, height), rotated as its display matrix says."""
    # One thread: starting threads for every frame costs more than they save.
    rgb = frame.reformat(format="rgb24", width=size[0], height=size[1], threads=1)
    image = rgb.to_ndarray()
    return np.rot90(image, round(frame.rotation / 90) % 4)
