"""The frames stage: JPEG images of each clip, with their times (section 4: 8 frames)."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.frames.decode import FRAMES, ClipDecoder, Span, Undecodable, decode_clip
from data_prep.frames.files import frames_path, write_images
from data_prep.schema.clips import ClipSpan, Frames
from data_prep.schema.line import Row, stream_distinct
from data_prep.stage import Rejected, Shard, run_stage
from stepdiff_jax.data.video import JPEG_QUALITY, SHORT_SIDE, decoder_version
from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.outside import is_outside

MOST_FRAMES = 1024
"""Of a clip; a larger number is a mistake (a rate in Hz, a size) that would fill the disk."""

SMALLEST_SIDE, LARGEST_SIDE = 16, 8192
"""Of images, in pixels."""


def write_frames(
    clips: Path,
    destination: Path,
    *,
    frames: int = FRAMES,
    short_side: int = SHORT_SIDE,
    processes: int = 2,
    shard: Shard | None = None,
) -> dict[str, Any]:
    """Decode the clips in clips.jsonl; returns (and writes) the summary of `run_stage`.

    Writes `destination` (frames.jsonl: clip, file, sha256, times in seconds, width and height in
    pixels, decoder) and the images beside it (see `frames_path`). A clip that cannot be decoded,
    or that crashes the decoder, is quarantined with the reason.

    Args:
        frames: images of each clip; what `encoder.frames` of a config must be.
        short_side: of the images, in pixels; smaller videos are not enlarged.
        processes: number of worker processes; a corrupt video crashes a worker, not the caller.
    Raises:
        InputError: the file cannot be read, a line lacks a field, a clip appears twice, or none of
            the videos is there.
        OutsideFailure: a disk fails, or the videos disappear while clips are decoded.
    """
    if processes < 1:
        raise InputError(f"--processes must be positive, got {processes}")
    if not 1 <= frames <= MOST_FRAMES:
        raise InputError(f"--frames must be from 1 to {MOST_FRAMES}, got {frames}")
    if not SMALLEST_SIDE <= short_side <= LARGEST_SIDE:
        limits = f"from {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        raise InputError(f"--short-side must be {limits}, got {short_side}")
    decode = partial(decode_clip, frames=frames, short_side=short_side)
    rows = [clip.row() for _, clip in stream_distinct(clips, ClipSpan)]
    witness = present_video(clips.parent, rows)
    with ClipDecoder(processes, decode) as decoder:
        return run_stage(
            rows,
            ClipSpan,
            partial(_work, decoder, witness, clips.parent, destination.parent),
            destination,
            shard=shard or Shard(),
            settings={"frames": frames, "short side": short_side, "JPEG quality": JPEG_QUALITY},
        )


def present_video(directory: Path, rows: Sequence[Row]) -> Path:
    """The first video of the clips that is there.

    Raises:
        InputError: none is; a directory that is not mounted must not cost all clips.
    """
    names = dict.fromkeys(ClipSpan.of(row).video for row in rows)
    for name in names:
        if _is_there(directory / name):
            return directory / name
    first = next(iter(names))
    raise InputError(
        f"{directory / first}: no such video file, nor any other of {len(names)}; is their disk "
        "mounted?"
    )


def _is_there(path: Path) -> bool:
    """Whether a file exists; raises OSError if the disk fails."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        if is_outside(error):
            raise
        return False
    return True


def _work(
    decoder: ClipDecoder, witness: Path, videos: Path, directory: Path, clips: Sequence[ClipSpan]
) -> Iterator[Frames | Rejected]:
    spans = [Span(videos / clip.video, clip.start, clip.end) for clip in clips]
    for clip, found in zip(clips, decoder(spans), strict=True):
        if isinstance(found, Undecodable):
            if not _is_there(witness):
                raise OutsideFailure(
                    f"{witness}: was there when this began, and is not there any more; starting "
                    "again resumes"
                )
            yield Rejected(found.kind, found.detail)
            continue
        file = frames_path(clip.video, clip.clip)
        digest = write_images(directory / file, found.images)
        yield Frames(
            clip=clip.clip,
            file=str(file),
            sha256=digest,
            times=list(found.times),
            width=found.width,
            height=found.height,
            decoder=decoder_version(),
        )
