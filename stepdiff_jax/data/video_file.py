"""Opening video files with PyAV: what is wrong with a file, its video stream and its time line.

Times are in seconds from the start of the file's time line, as players, captions and `ffmpeg -ss`
count: from the earliest of its streams. A video track that starts 2 s after its sound has its first
frame at 2 s.
"""

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from stepdiff_jax.errors import InputError
from stepdiff_jax.outside import require_readable

MISSING = "video file is missing"

_NO_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
_NO_TIMESTAMPS, _TS_DISCONT = 0x0080, 0x0200
"""FFmpeg's AVFMT_NOTIMESTAMPS and AVFMT_TS_DISCONT (libavformat/avformat.h)."""

_SAME_SECONDS = 1.0
"""The longest stream's tag and the file's duration differ by less."""

_STILL_CODECS = ("mjpeg", "png", "bmp", "tiff", "webp")
_MICROSECOND = Fraction(1, av.time_base)

_OPTIONS = {
    # A playlist that bears a video's name must not open addresses.
    "protocol_whitelist": "file",
    # For FFmpeg, the name `a%03d.jpg` is a pattern of many files.
    "pattern_type": "none",
}


class VideoError(InputError):
    """A video that cannot be read; `kind` is the same for all files that fail in the same way."""

    def __init__(self, path: Path | str, kind: str, detail: str):
        super().__init__(f"{path}: {detail}")
        self.kind, self.detail = kind, detail


@dataclass(frozen=True)
class TimeLine:
    """Converts the stamps of one stream; in whole numbers, as files hold very many."""

    factor: int
    offset: int
    unit: int

    @classmethod
    def of(cls, tick: Fraction, origin: Fraction) -> "TimeLine":
        """For stamps that count ticks of seconds, and times from `origin` seconds on."""
        return cls(
            tick.numerator * origin.denominator,
            origin.numerator * tick.denominator,
            tick.denominator * origin.denominator,
        )

    def seconds(self, stamp: int) -> float:
        """A time stamp as seconds from the start of the file's time line."""
        return (stamp * self.factor - self.offset) / self.unit


@dataclass(frozen=True)
class Video:
    """An open video file, the stream to show, and where its time line starts, in seconds."""

    path: Path | str
    container: InputContainer
    stream: VideoStream
    origin: Fraction

    @property
    def tick(self) -> Fraction:
        """Seconds per unit of the stream's time stamps."""
        return self.stream.time_base or _MICROSECOND

    def seconds(self, stamp: int) -> float:
        """A time stamp of the stream as seconds from the start of the file's time line."""
        return self._line.seconds(stamp)

    @cached_property
    def _line(self) -> TimeLine:
        return TimeLine.of(self.tick, self.origin)

    def stamp(self, seconds: float) -> int:
        """The time stamp nearest to a time."""
        return round((Fraction(seconds) + self.origin) / self.tick)

    @property
    def frame_seconds(self) -> float:
        """How long a frame is shown whose packet does not say, by the average rate."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(1 / rate) if rate else 0.0

    @property
    def restarts(self) -> bool:
        """Whether the format allows stamps that start again, as joined MPEG files have."""
        return bool(self.container.format.flags & _TS_DISCONT)

    @property
    def still(self) -> bool:
        """Whether the file is a picture, which may be shown for any time."""
        name = self.container.format.name
        return name == "image2" or name.endswith("_pipe")

    @property
    def in_decoding_order(self) -> bool:
        """Whether stamps are of decoding, though frames are shown in another order (AVI)."""
        return self.container.format.name == "avi" and self.stream.codec_context.has_b_frames

    def promised_end(self) -> tuple[float, bool] | None:
        """Where the header says that the file ends, and whether that is about its video stream.

        Matroska has no durations of streams, and FFmpeg may put the file's in their place.
        """
        stream, whole = self.stream, self.container.duration
        if stream.duration and "matroska" not in self.container.format.name:
            start = self.seconds(stream.start_time) if stream.start_time is not None else 0.0
            return start + float(stream.duration * self.tick), True
        if not whole:
            return None
        end = float(whole * _MICROSECOND)
        tags = {
            one.index: _clock(one.metadata.get("DURATION", "")) for one in self.container.streams
        }
        # Programs that cut files may copy the tags of the uncut one.
        if abs(max(tags.values()) - end) <= _SAME_SECONDS and tags[stream.index]:
            return tags[stream.index], True
        return end, False


@contextmanager
def open_video(path: Path | str) -> Iterator[Video]:
    """Open a local file, whatever its name looks like to FFmpeg (an address, a pattern, an option).

    Raises:
        VideoError: the file is missing, may not be read, or has no video; also for errors of
            FFmpeg within the block.
        OutsideFailure: the disk fails, which FFmpeg may report as the end of the file.
    """
    _check_file(Path(path))
    try:
        # An absolute path is never an address.
        with av.open(str(Path(path).absolute()), container_options=_OPTIONS) as container:
            stream = _shown_stream(path, container)
            if container.format.flags & _NO_TIMESTAMPS:  # FFmpeg would invent some
                detail = (
                    "its frames have no time stamps, as it is a bare stream without a container"
                )
                raise VideoError(path, "frames have no time stamps", detail)
            yield Video(path, container, stream, _origin(container, stream))
    except VideoError:
        require_readable(path)
        raise
    except (av.error.FFmpegError, UnicodeError) as error:
        require_readable(path)
        detail = f"not readable as video ({reason_of(error)})"
        raise VideoError(path, "not readable as video", detail) from error


def reason_of(error: Exception) -> str:
    """FFmpeg's reason, without its own form of the file's name."""
    return getattr(error, "strerror", None) or str(error)


def _check_file(path: Path) -> None:
    """Raise a VideoError for what the file system says; FFmpeg's codes have other meanings."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
    except PermissionError as error:
        raise VideoError(path, "no permission", "the file may not be read") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        leads = f": a link to {path.readlink()}" if path.is_symlink() else ""
        raise VideoError(path, MISSING, f"no such video file{leads}") from error
    except ValueError as error:
        raise VideoError(path, MISSING, "no such video file") from error
    except OSError as error:
        if not _is_of_name(error):
            raise
        detail = f"no such video file ({error.strerror})"
        raise VideoError(path, MISSING, detail) from error
    if not stat.S_ISREG(status.st_mode):
        detail = "is a directory" if stat.S_ISDIR(status.st_mode) else "is not a file"
        raise VideoError(path, "not a file", detail)
    if status.st_size == 0:
        require_readable(path)
        raise VideoError(path, "file is empty", "the file is empty")


def _is_of_name(error: OSError) -> bool:
    """Whether an error is about the path itself, not about the disk."""
    return error.errno in (errno.ENAMETOOLONG, errno.ELOOP)


def _shown_stream(path: Path | str, container: InputContainer) -> VideoStream:
    """The stream that FFmpeg shows: by default flag, then by size, then the first.

    Cover art and thumbnails are no video, wherever they are stored and whether or not they say so.
    """
    streams = [
        stream for stream in container.streams.video if not stream.disposition & _NO_PICTURES
    ]
    if not len(container.streams):  # as if the file was cut off within its index
        detail = "not readable as video (its header lists no streams)"
        raise VideoError(path, "not readable as video", detail)
    if not streams:
        raise VideoError(path, "no video stream", "has no video stream")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise VideoError(path, "no decoder", "no decoder for its video stream")
    return max(known, key=_prominence)


def _prominence(stream: VideoStream) -> tuple[bool, bool, int]:
    decoder = stream.codec_context
    still = stream.frames == 1 or decoder.name in _STILL_CODECS
    default = bool(stream.disposition & Disposition.default)
    return not still, default, decoder.width * decoder.height


def _origin(container: InputContainer, stream: VideoStream) -> Fraction:
    own = None if stream.start_time is None else stream.start_time * (stream.time_base or 0)
    if container.start_time is None:
        return Fraction(own or 0)
    start = container.start_time * _MICROSECOND
    # The container's is rounded to microseconds.
    return Fraction(own) if own is not None and abs(own - start) <= _MICROSECOND else start


def _clock(text: str) -> float:
    """Seconds of Matroska's tag `00:00:05.008000000`; 0 if there is none."""
    parts = text.split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds
