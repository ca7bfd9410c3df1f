"""Decodes clips into JPEG frames in worker processes. Kept small: every worker imports it."""

import io
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from PIL import Image

from stepdiff_jax.data.video import SHORT_SIDE, VideoError, encode_jpeg, sample_frames
from stepdiff_jax.errors import OutsideFailure

FRAMES = 8
"""Frames per clip, sampled uniformly (section 4), unless another number is asked for."""


# Spawn rather than fork: the caller may run JAX and TFDS threads.
_CONTEXT = multiprocessing.get_context("spawn")

_KILLED = (-signal.SIGKILL, -signal.SIGTERM)
"""Exit codes of a process that the kernel, when memory ran out, or an administrator ended."""


@dataclass(frozen=True)
class Span:
    """Part of a video file to decode, from `start` to `end` seconds."""

    video: Path
    start: float
    end: float


@dataclass(frozen=True)
class ClipFrames:
    """JPEG `images` with their `times` in seconds; `width` and `height` in pixels."""

    images: tuple[bytes, ...]
    times: tuple[float, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Undecodable:
    """Why a clip has no frames; `kind` is shared by all clips that fail in the same way."""

    kind: str
    detail: str


def decode_clip(
    span: Span, frames: int = FRAMES, short_side: int = SHORT_SIDE
) -> ClipFrames | Undecodable:
    """Decode the clip's frames, or say what is wrong with its video.

    Args:
        frames: how many, evenly spaced.
        short_side: of the stored images, in pixels; smaller ones are not enlarged.
    """
    try:
        sampled = sample_frames(span.video, span.start, span.end, frames)
    except VideoError as error:
        return Undecodable(error.kind, str(error))
    images = tuple(encode_jpeg(sampled.frames, short_side))
    with Image.open(io.BytesIO(images[0])) as image:
        width, height = image.size
    return ClipFrames(images, tuple(sampled.times.tolist()), width, height)


Decode = Callable[[Span], ClipFrames | Undecodable]
"""Function that decodes one clip, called in a worker process."""


class ClipDecoder:
    """Decodes clips in `processes` worker processes, so that a corrupt file crashes only those."""

    def __init__(self, processes: int, decode: Decode = decode_clip):
        self._processes, self._decode = processes, decode
        self._pool = _pool(processes)

    def __enter__(self) -> "ClipDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __call__(self, spans: Sequence[Span]) -> Iterator[ClipFrames | Undecodable]:
        """Yield one result per span, in order.

        Raises:
            OutsideFailure: a disk fails, or a worker was killed from outside.
        """
        futures = [self._submit(span) for span in spans]
        for span, future in zip(spans, futures, strict=True):
            try:
                yield future.result()
            except BrokenProcessPool:
                # Any clip in progress may be the cause, so decode each in its own process.
                yield self._decode_alone(span)

    def _submit(self, span: Span) -> Future[ClipFrames | Undecodable]:
        try:
            return self._pool.submit(self._decode, span)
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = _pool(self._processes)
            return self._pool.submit(self._decode, span)

    def _decode_alone(self, span: Span) -> ClipFrames | Undecodable:
        receiver, sender = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_send, args=(sender, self._decode, span))
        process.start()
        sender.close()  # so that the end of the process ends the pipe
        try:
            found = receiver.recv()
        except EOFError:
            found = None
        process.join()
        if isinstance(found, BaseException):
            raise found
        if found is not None:
            return found
        if process.exitcode in _KILLED:
            raise OutsideFailure(
                f"{span.video}: the process that decodes it was killed (signal "
                f"{-process.exitcode}), as when memory runs out; fewer --processes need less; "
                "starting again resumes"
            )
        return Undecodable("decoder crashed", f"{span.video}: its decoder's process ended")


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=_CONTEXT, initializer=_end_with_parent)


def _send(sender: Connection, decode: Decode, span: Span) -> None:
    _end_with_parent()
    try:
        found: object = decode(span)
    except Exception as error:
        found = error
    sender.send(found)


def _end_with_parent() -> None:
    """Exit when the parent process does; otherwise a worker would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=[parent.sentinel], daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
