"""The frames stage of `stepdiff prep`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from data_prep.cli.running import Running
from data_prep.cli.summary import print_summaries
from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.files import require_writable_file


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
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def frames(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl and video files -> frames.jsonl and JPEG images."""
    options = parse_arguments(Frames, arguments, prog=prog)
    require_writable_file(options.destination)
    shard = options.running.open(prog, arguments)
    from data_prep.frames.stage import write_frames

    summary = write_frames(
        options.clips,
        options.destination,
        frames=options.frames,
        short_side=options.short_side,
        processes=options.processes,
        shard=shard,
    )
    print_summaries({options.destination: summary}, options.clips, shards=shard.count)


FRAMES_STAGES: dict[str, Command] = {"frames": frames}
