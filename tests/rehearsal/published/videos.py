"""Video files as downloaded: H.264 with sound in mp4, VP9 with sound in webm, H.264 in mkv."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SAMPLE_RATE = 48000


@dataclass(frozen=True)
class Format:
    """A container: its file ending and codecs; `audio` is empty for a silent file."""

    ending: str
    video: str
    options: dict[str, str]
    audio: str = ""


FORMATS = (
    Format("mp4", "libx264", {"preset": "ultrafast", "crf": "20"}, "aac"),
    Format("webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "30"}, "libopus"),
    Format("mkv", "libx264", {"preset": "ultrafast", "crf": "20"}),
)


def write_video(
    path: Path, images: Iterable[tuple[float, np.ndarray]], form: Format, seconds: float
) -> None:
    """Write frames at their times, with a quiet tone of `seconds` if the format has sound.

    Args:
        images: (presentation time in seconds, uint8 [H, W, 3]) in order of time.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream(form.video, rate=30, options=form.options)
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream(form.audio, rate=SAMPLE_RATE) if form.audio else None
        for number, (time, image) in enumerate(images):
            if number == 0:
                video.height, video.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = round(time * 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None:
            for block in _tone(seconds):
                container.mux(sound.encode(block))
            container.mux(sound.encode())


def _tone(seconds: float) -> Iterable[av.AudioFrame]:
    step = SAMPLE_RATE // 10
    for start in range(0, round(seconds * SAMPLE_RATE), step):
        samples = np.sin(np.arange(start, start + step) * (2 * np.pi * 220 / SAMPLE_RATE)) * 0.05
        frame = av.AudioFrame.from_ndarray(
            samples.astype(np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        yield frame
