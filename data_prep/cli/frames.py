"""The frames stage of `stepdiff prep`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.cli.summary import print_summary
from stepdiff_jax.arguments import Command, parse_arguments


@dataclass(frozen=True)
class Frames:
    """Decode 8 frames of each clip into JPEG images, once."""

    clips: Path
    """clips.jsonl."""
    destination: Path
    """Output frames.jsonl; the images go to frames/ beside it."""
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
        processes=options.processes,
        shard=Shard.parse(options.shard),
    )
    print_summary(options.destination, summary, options.clips)


FRAMES_STAGES: dict[str, Command] = {"frames": frames}
