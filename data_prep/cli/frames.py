"""The frames stage of `stepdiff prep`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.cli.summary import print_summary
from stepdiff_jax.arguments import Command, parse_arguments


@dataclass(frozen=True)
class Frames:
    """Decode frames of each clip, evenly spaced, into JPEG images, once."""

    clips: Path
    """clips.jsonl; its videos may be of any format that FFmpeg reads with time stamps, whatever the
    file's ending. Times are in seconds from the start of the file's time line."""
    destination: Path
    """Output frames.jsonl; the images go to frames/ beside it."""
    frames: int = 8
    """Images of each clip; encoder.frames of the config that trains on them."""
    short_side: int = 256
    """Short side of the images in pixels; smaller videos are not enlarged."""
    processes: int = 2
    """Processes that decode video."""
    shard: str = "1/1"


def frames(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl and video files -> frames.jsonl and JPEG images."""
    options = parse_arguments(Frames, arguments, prog=prog)
    from data_prep.frames.stage import write_frames
    from data_prep.stage import Shard

    summary = write_frames(
        options.clips,
        options.destination,
        frames=options.frames,
        short_side=options.short_side,
        processes=options.processes,
        shard=Shard.parse(options.shard),
    )
    print_summary(options.destination, summary)


FRAMES_STAGES: dict[str, Command] = {"frames": frames}
