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
    """Decode 8 frames of each clip into JPEG images, once."""

    clips: Path
    """clips.jsonl."""
    destination: Path
    """Output frames.jsonl; the images go to frames/ beside it."""
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
        processes=options.processes,
        shard=shard,
    )
    print_summaries({options.destination: summary}, shard.count)


FRAMES_STAGES: dict[str, Command] = {"frames": frames}
