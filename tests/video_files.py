"""Video files with every frame's number in its grey level, as cameras and programs write them."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

LEVELS = 4
"""Grey levels between the frames of two numbers: lossy coding moves a level by less than half."""

RATE = 10

GROUPS = {"crf": "8", "g": "12", "bf": "3"}


def picture(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Grey 16 + 4 n, with a white upper left corner."""
    image = np.full((size[1], size[0], 3), 16 + LEVELS * number, np.uint8)
    image[:8, :8] = 255
    return image


def numbers(frames: np.ndarray) -> list[int]:
    centre = frames[:, frames.shape[1] // 2, frames.shape[2] // 2].mean(-1)
    return np.round((centre - 16) / LEVELS).astype(int).tolist()


def _video_packets(
    container: av.container.OutputContainer,
    codec: str,
    options: Mapping[str, str],
    frames: Iterable[int],
    start: float,
    **settings: object,
) -> list[av.Packet]:
    stream = container.add_stream(codec, rate=RATE, options=dict(options))
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    prepare = settings.get("prepare")
    if prepare:
        prepare(stream)
    packets = []
    for position, number in enumerate(frames):
        image = picture(number, (stream.width, stream.height))
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = position + round(start * RATE), Fraction(1, RATE)
        packets += stream.encode(frame)
    return packets + stream.encode()


def _sound_packets(container: av.container.OutputContainer, seconds: float) -> list[av.Packet]:
    codec = "libopus" if container.format.name == "webm" else "aac"
    if container.format.name == "mpeg":
        codec = "mp2"
    stream = container.add_stream(codec, rate=48000, layout="mono")
    form = "s16" if codec in ("mp2", "libopus") else "fltp"
    kind = np.int16 if form == "s16" else np.float32
    packets = []
    for start in range(0, round(seconds * 48000), 960):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), kind), format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        packets += stream.encode(frame)
    return packets + stream.encode()


def write(
    path: Path,
    codec: str = "libx264",
    *,
    options: Mapping[str, str] = GROUPS,
    frames: Iterable[int] = range(50),
    start: float = 0.0,
    sound: float = 0.0,
    container_options: Mapping[str, str] | None = None,
    prepare: Callable[[av.VideoStream], None] | None = None,
) -> Path:
    """A video at 10 frames per second from `start` s, with `sound` for so many seconds from 0."""
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        packets = _video_packets(container, codec, options, frames, start, prepare=prepare)
        if sound:
            packets += _sound_packets(container, sound)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def remux(source: Path, path: Path, change: Callable[[int, av.Packet], None]) -> Path:
    """Copy the video stream to another file; `change` alters a packet by its number."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            change(number, packet)
            packet.stream = stream
            new.mux(packet)
    return path


def hide(source: Path, path: Path, hidden: Iterable[int], earlier: int) -> Path:
    """Packets of VP8 that are decoded and not shown, as an encoder's alternative references.

    Args:
        hidden: numbers of packets, whose stamps become those of the next ones.
        earlier: by how many milliseconds they are less than those.
    """
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            made = packet
            if number in hidden:
                data = bytearray(bytes(packet))
                data[0] &= ~(1 << 4)  # show_frame, RFC 6386 section 9.1
                made = av.Packet(bytes(data))
                made.pts = made.dts = packets[number + 1].pts - earlier
                made.time_base, made.is_keyframe = packet.time_base, packet.is_keyframe
            made.stream = stream
            new.mux(made)
    return path
