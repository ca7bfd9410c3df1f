"""Reading video frames by presentation time, and JPEG coding of frames, with PyAV and Pillow.

Frames are chosen by their presentation times, never by an average rate. Times are in seconds from
the start of the file's time line (`video_file`). Interlaced frames are taken as they are stored.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, UnidentifiedImageError

from stepdiff_jax.data.video_decode import Picture, decode_all, decode_chosen, undecodable
from stepdiff_jax.data.video_file import MISSING, Video, VideoError, open_video
from stepdiff_jax.data.video_packets import (
    Ends,
    OddStamps,
    Packets,
    demux,
    packets_around,
    packets_from_start,
)
from stepdiff_jax.errors import InputError

__all__ = [
    "JPEG_QUALITY",
    "MISSING",
    "SHORT_SIDE",
    "UNKNOWN_DURATION",
    "SampledFrames",
    "VideoError",
    "VideoInfo",
    "decode_jpeg",
    "decoder_version",
    "encode_jpeg",
    "probe",
    "sample_frames",
]

SHORT_SIDE = 256
"""The short side of stored frames, in pixels."""

JPEG_QUALITY = 92

UNKNOWN_DURATION = "duration is unknown"
"""Kind of the VideoError of a file that does not say how long it is; it may be readable."""

TRUNCATION_SECONDS = 1.0
"""A video that ends this much before its header says, within the requested span, is truncated."""

PAST_END_SECONDS = 1.0
"""A span may end this much after the video, as annotations are rounded to seconds (**ours**)."""

BEFORE_START_SECONDS = 0.5
"""A span may end this much before the first frame, as a track may start after its sound."""

NEAR_SECONDS = 0.5
"""A frame that is this much farther from its time than its packet promised was not decoded."""


@dataclass(frozen=True)
class SampledFrames:
    """`frames` uint8 [T, H, W, 3] and their presentation `times` float64 [T] in seconds."""

    frames: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """A video stream; size as stored, before any rotation.

    `duration`: the seconds from the start of the file's time line to the video's end.

    `frames` is 0 if the file does not say.
    """

    duration: float
    width: int
    height: int
    frames: int
    codec: str


def probe(path: Path | str) -> VideoInfo:
    """Reads the header of a video file, or all of one whose header does not say how long it is.

    Live recordings do not, and MPEG's are guessed from the last stamps, which may have restarted.

    Raises:
        VideoError: no such file, not readable as video, no video stream, or an unknown duration.
    """
    with open_video(path) as video:
        promised = video.promised_end()
        duration = promised[0] if promised and not video.restarts else _measured_end(video)
        if not 0 < duration < np.inf:
            detail = "the file does not say how long the video is"
            raise VideoError(path, UNKNOWN_DURATION, detail)
        return VideoInfo(
            duration=duration,
            width=video.stream.codec_context.width,
            height=video.stream.codec_context.height,
            frames=video.stream.frames,
            codec=video.stream.codec_context.name,
        )


def _measured_end(video: Video) -> float:
    ends = Ends()
    for _ in demux(video, np.inf, ends, from_start=True):
        pass
    return ends.video


def sample_frames(
    path: Path | str, start: float | None = None, end: float | None = None, frames: int = 8
) -> SampledFrames:
    """The frames nearest to `frames` times spread evenly over [start, end], both ends included.

    Times are in seconds from the start of the file's time line; None means the video's own start
    or end. The span is clamped to the times of the first and the last frame: nothing is shown
    before the first one, and a player holds the last. Frames repeat if the span has too few.
    Turned, mirrored and non-square pictures are taken as they are shown. A still picture is shown
    at any time.

    Raises:
        VideoError: a span that is empty, ends before the video's first frame, starts after its
            end, or ends more than `PAST_END_SECONDS` after it; or a file that is missing, is not a
            video, or is cut off before the span's end.
    """
    if frames < 1:
        raise InputError(f"{path}: frames: {frames}, must be at least 1")
    first = 0.0 if start is None else float(start)
    last = np.inf if end is None else float(end)
    if not 0 <= first <= last or first == np.inf:
        detail = f"no such span of time: {start} to {end} seconds"
        raise VideoError(path, "span is empty or starts before the video", detail)
    span = _Span(path, first, last, frames)
    for read in (packets_around, packets_from_start):
        try:
            return _sample(span, read)
        except OddStamps:
            continue
    return _sample_by_order(span)


@dataclass(frozen=True)
class _Span:
    path: Path | str
    first: float
    last: float
    frames: int

    def choose(self, times: np.ndarray) -> tuple[list[int], np.ndarray]:
        """The index of the frame nearest to each of the span's times, and its distances in s.

        Frames that cannot be shown have infinite times.
        """
        shown = times[np.isfinite(times)]
        first, last = np.clip([self.first, self.last], shown.min(), shown.max()).tolist()
        distances = np.abs(times - np.linspace(first, last, self.frames)[:, None])
        return distances.argmin(1).tolist(), distances.min(1)

    def require_within(self, video: Video, ends: Ends, times: np.ndarray) -> None:
        """Raise a VideoError if the span is not within the frames shown at `times`."""
        if video.still and len(times):
            return
        end = ends.video
        promised, of_video = video.promised_end() or (0.0, True)
        reached = end if of_video else ends.file
        if reached + TRUNCATION_SECONDS < min(self.last, promised) or (
            reached <= self.first < promised
        ):
            detail = f"cut off at {max(reached, 0):g} s of {promised:g} s"
            raise VideoError(self.path, "video is cut off", detail)
        if not len(times):
            raise VideoError(self.path, "video has no frames", "has no frames")
        if not self.first < end:
            detail = f"the span starts at {self.first:g} s, after the video's end at {end:g} s"
            raise VideoError(self.path, "span after the video's end", detail)
        if ends.file + PAST_END_SECONDS < self.last < np.inf:
            detail = f"the span ends at {self.last:g} s, after the video's end at {end:g} s"
            raise VideoError(self.path, "span ends after the video", detail)
        if self.last + BEFORE_START_SECONDS < times.min():
            detail = (
                f"the span ends at {self.last:g} s, before the video's first frame at "
                f"{times.min():g} s"
            )
            raise VideoError(self.path, "span before the video's first frame", detail)


def _sample(span: _Span, read_packets: Callable[[Video, float, float], Packets]) -> SampledFrames:
    """By the stamps of packets; raises OddStamps if they do not tell when frames are shown."""
    with open_video(span.path) as video:
        read = read_packets(video, span.first, span.last)
        if read.packets and not len(read.shown):
            raise undecodable(span.path, span.first, " (no keyframe)")
        span.require_within(video, read.ends, read.shown)
        chosen, distances = span.choose(read.times)
        try:
            if len(np.unique(read.shown)) < len(read.shown):
                raise OddStamps("two packets have one stamp")
            images = decode_chosen(video, read, sorted(set(chosen)))
        except OddStamps:
            return _sample_shown(span, video, read, distances)
    return SampledFrames(np.stack([images[index] for index in chosen]), read.times[chosen])


def _sample_shown(span: _Span, video: Video, read: Packets, promised: np.ndarray) -> SampledFrames:
    """By the stamps of the frames that come out of the decoder; not all packets show one."""
    stamps = [frame.pts for frame in decode_all(video, read.packets, read.key_time)]
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) < len(stamps) or sorted(known) != known:
        raise OddStamps("frames are shown in another order than that of their stamps")
    times = np.asarray([video.seconds(stamp) for stamp in known])
    times[times < read.key_time] = np.inf
    if not np.isfinite(times).any():
        raise undecodable(span.path, span.first)
    chosen, distances = span.choose(times)
    missed = distances > promised + NEAR_SECONDS
    if missed.any():
        raise undecodable(span.path, times[chosen][missed][0])
    return _pictures(video, decode_all(video, read.packets, read.key_time), chosen, times)


def _sample_by_order(span: _Span) -> SampledFrames:
    """By order: the stamps of decoding, in order, are those of the frames as they are shown.

    This is how players show AVI files, which store no times of showing.
    """
    ends = Ends()
    stamps: list[int | None] = []

    def noted(video: Video) -> Iterator[av.Packet]:
        for packet in demux(video, span.last, ends, from_start=True):
            stamps.append(packet.pts if packet.dts is None else packet.dts)
            yield packet

    with open_video(span.path) as video:
        shown = [
            frame.dts if frame.pts is None else frame.pts
            for frame in decode_all(video, noted(video), span.first)
        ]
        times = _times_in_order(video, stamps, shown)
        span.require_within(video, ends, times)
        chosen, _ = span.choose(times)
    with open_video(span.path) as video:
        packets = demux(video, span.last, Ends(), from_start=True)
        return _pictures(video, decode_all(video, packets, span.first), chosen, times)


def _times_in_order(video: Video, stamps: list[int | None], shown: list[int | None]) -> np.ndarray:
    """Times in seconds of frames in the order in which they are shown."""
    known = sorted(stamp for stamp in stamps if stamp is not None)
    if not known:
        raise VideoError(video.path, "frames have no time stamps", "its frames have no time stamps")
    if len(known) == len(shown):
        return np.asarray([video.seconds(stamp) for stamp in known])
    times: list[float] = []
    for stamp in shown:
        follows = times[-1] + video.frame_seconds if times else video.seconds(known[0])
        time = follows if stamp is None else video.seconds(stamp)
        times.append(time if not times or time > times[-1] else follows)
    return np.asarray(times)


def _pictures(
    video: Video, decoded: Iterator[av.VideoFrame], chosen: list[int], times: np.ndarray
) -> SampledFrames:
    """The chosen ones of the frames in the order in which they are shown."""
    picture, wanted = Picture(video), set(chosen)
    images = {
        index: picture.upright(frame) for index, frame in enumerate(decoded) if index in wanted
    }
    return SampledFrames(np.stack([images[index] for index in chosen]), times[chosen])


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
