"""frames.jsonl and the frame files: one tar archive of JPEG images per clip."""

import hashlib
import io
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from data_prep.schema.clips import FRAMES_FILE, FramesFile
from data_prep.schema.line import stream_distinct
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_bytes

_CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")


@dataclass(frozen=True)
class StoredFrames:
    """A line of frames.jsonl: the path of a clip's images and their `times` in seconds."""

    path: Path
    digest: str
    """SHA-256 of the archive."""
    times: tuple[float, ...]
    decoder: str


LONGEST_NAME = 255
"""The longest file name in bytes that file systems allow."""


def frames_path(video: str, clip: str) -> Path:
    """`frames/<video>/<clip>.tar`, with special characters escaped as in a URL.

    A name that is too long when escaped ends with `+` and the first 32 digits of its SHA-256;
    escaped names hold no `+`, so that no two names become one.
    """
    directory = _escaped(Path(video).stem, LONGEST_NAME)
    return Path("frames", directory, f"{_escaped(clip, LONGEST_NAME - len('.tar'))}.tar")


def _escaped(name: str, longest: int) -> str:
    # Names of files that are not UTF-8 hold surrogates.
    data = name.encode("utf-8", "surrogatepass")
    if name in (".", ".."):
        return name.replace(".", "%2E")
    escaped = quote(data, safe="")
    if len(escaped) <= longest:
        return escaped
    ending = f"+{hashlib.sha256(data).hexdigest()[:32]}"
    return _CUT_ESCAPE.sub("", escaped[: longest - len(ending)]) + ending


def write_images(path: Path, images: Sequence[bytes]) -> str:
    """Write 0.jpg, 1.jpg, ... as a tar archive, atomically; returns its SHA-256.

    The same images always give the same bytes.
    """
    buffer = io.BytesIO()
    # Members keep TarInfo's default owner and time, zero.
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, image in enumerate(images):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = len(image)
            archive.addfile(member, io.BytesIO(image))
    write_bytes(path, buffer.getvalue(), writer="frames")
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_images(stored: StoredFrames) -> list[bytes]:
    """Read the JPEG images of a clip, in order of time.

    Raises:
        InputError: the file is missing, or is not what the frames stage wrote.
    """
    try:
        data = stored.path.read_bytes()
    except OSError as error:
        raise InputError(f"{stored.path}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != stored.digest:
        raise InputError(f"{stored.path}: does not match its SHA-256 in {FRAMES_FILE}")
    images = []
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            images.append(file.read() if file else b"")
    return images


def read_frames(directory: Path) -> dict[str, StoredFrames]:
    """Clip id -> its frames, from `directory`/frames.jsonl; does not open the images.

    Raises:
        InputError: the file is missing or empty, a field is missing or invalid, or a clip appears
            twice.
    """
    path = directory / FRAMES_FILE
    if not path.exists():
        raise InputError(f"{path}: no such file (stepdiff prep frames writes it)")
    return {
        frames.clip: StoredFrames(
            directory / frames.file, frames.sha256, tuple(frames.times), frames.decoder
        )
        for _, frames in stream_distinct(path, FramesFile)
    }
