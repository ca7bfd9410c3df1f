"""The packets of a video's compressed frames around a span of time, with the frames' times.

A packet is not a shown frame: packets may be hidden, carry no time stamp or one that another packet
has too, and joined files start their stamps again. What cannot be known from packets raises
`OddStamps`, and the frames are then counted as they come out of the decoder.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

from stepdiff_jax.data.video_file import TimeLine, Video

_JITTER = 0.5
"""Stamps of decoding that fall by more seconds start again; FFmpeg's limit is 0.1."""

_LEAP = 10.0
"""A gap of more seconds, in a format whose stamps may start again, is none (as in FFmpeg)."""

_MOST_REORDERED = 16
"""No codec shows a frame later than so many that follow it in the file (H.264's buffer)."""


class OddStamps(Exception):
    """The stamps of packets do not tell when frames are shown."""


@dataclass
class Ends:
    """How far the packets that were read go: of the `video`, and of any `file`'s stream, in s."""

    video: float = -np.inf
    file: float = -np.inf

    def add(self, end: float, video: bool) -> None:
        """Count a packet that is shown until `end`."""
        self.file = max(self.file, end)
        if video:
            self.video = max(self.video, end)


@dataclass(frozen=True)
class Packets:
    """Compressed frames in decoding order with their times in seconds.

    `times` is infinite if a packet's frame is not shown or cannot be decoded from these packets.
    `key_time` is the time of the first keyframe.
    """

    packets: list[av.Packet]
    times: np.ndarray
    key_time: float
    ends: Ends

    @property
    def shown(self) -> np.ndarray:
        """The times of the frames that may be shown."""
        return self.times[np.isfinite(self.times)]


def packets_around(video: Video, first: float, last: float) -> Packets:
    """The packets of frames that may be nearest to a time in the span, and their dependencies.

    Raises OddStamps if the file must be read from its start.
    """
    if video.restarts or video.in_decoding_order:
        raise OddStamps
    back = 0.0
    while first - back > 0:
        _seek(video, first - back)
        read = _collect(video, first, last, from_start=False)
        if read.key_time <= first:
            return read
        # Some demuxers seek by decoding time, and so land a few frames too late.
        back = 2 * back + 1.0
    if back:
        _seek(video, 0.0)
    return _collect(video, first, last, from_start=False)


def packets_from_start(video: Video, first: float, last: float) -> Packets:
    """As `packets_around`, reading the file from its start and joining stamps that start again."""
    if video.in_decoding_order:
        raise OddStamps
    return _collect(video, first, last, from_start=True)


def _seek(video: Video, seconds: float) -> None:
    offset = max(-(2**62), min(2**62, video.stamp(seconds)))
    if seconds <= 0 and video.stream.start_time is not None:
        offset = min(offset, video.stream.start_time)
    try:
        video.container.seek(offset, stream=video.stream)
    except av.error.FFmpegError as error:
        raise OddStamps("cannot be sought") from error


def demux(video: Video, last: float, ends: Ends, *, from_start: bool) -> Iterator[av.Packet]:
    """The video's packets in file order, until no frame that follows is shown by `last`.

    Args:
        ends: what is read is counted here, including sound.
        from_start: the file is read from its start, and stamps that start again are continued;
            otherwise they raise OddStamps.
    """
    clocks: dict[int, _Clock] = {}
    later = 0
    for packet in video.container.demux():
        if not packet.size or packet.stream.type not in ("video", "audio"):
            continue
        own = packet.stream.index == video.stream.index
        if packet.stream.type == "video" and not own:
            continue
        clock = clocks.setdefault(packet.stream.index, _Clock(video, packet))
        clock.continue_stamps(packet, from_start)
        stamp = packet.dts if packet.pts is None else packet.pts
        time = None if stamp is None else clock.seconds(stamp)
        if time is not None and not packet.is_discard:
            missing = video.frame_seconds if own else 0.0
            ends.add(time + (clock.length(packet) or missing), own)
        if not own:
            continue
        yield packet
        decoded = time if packet.dts is None else clock.seconds(packet.dts)
        late = time is not None and time > last and decoded is not None and decoded > last
        later = later + 1 if late else 0
        if later > _MOST_REORDERED:
            return


@dataclass
class _Clock:
    """Stamps of one stream, which is that of its first packet."""

    video: Video
    first: av.Packet
    offset: int = 0
    expected: int | None = None

    def __post_init__(self) -> None:
        self.tick = float(self.first.time_base)
        self.seconds = TimeLine.of(self.first.time_base, self.video.origin).seconds

    def length(self, packet: av.Packet) -> float:
        """Seconds that the packet is shown or heard; 0 if the file does not say."""
        return (packet.duration or 0) * self.tick

    def continue_stamps(self, packet: av.Packet, from_start: bool) -> None:
        """Shift the packet's stamps so that they follow those before it."""
        if packet.dts is None:
            return
        stamp = packet.dts + self.offset
        if self.expected is not None:
            leap = (stamp - self.expected) * self.tick
            if leap < -_JITTER or (leap > _LEAP and self.video.restarts):
                if not from_start:
                    raise OddStamps("stamps start again")
                self.offset += self.expected - stamp
        if self.offset:
            packet.dts += self.offset
            if packet.pts is not None:
                packet.pts += self.offset
        self.expected = packet.dts + (packet.duration or 0)


def _collect(video: Video, first: float, last: float, *, from_start: bool) -> Packets:
    packets: list[av.Packet] = []
    times: list[float] = []
    key, key_time = 0, np.inf
    ends = Ends()
    for packet in demux(video, last, ends, from_start=from_start):
        if packet.pts is None:
            raise OddStamps("a frame has no time stamp")
        time = video.seconds(packet.pts)
        if packet.is_keyframe:
            key_time = time if key_time == np.inf else key_time
            if from_start and time <= first:
                # A frame shown before its group's keyframe depends on the previous group too.
                del packets[:key], times[:key]
            key = len(packets)
        # Frames before the first keyframe depend on frames that were not read.
        packets.append(packet)
        times.append(time if time >= key_time and not packet.is_discard else np.inf)
    return Packets(packets, np.asarray(times), key_time, ends)
