"""Synthetic benchmark inputs of realistic size: videos, clips, descriptions and questions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.schema.clips import CLIPS_FILE, Clip, ClipSpan
from data_prep.schema.line import stream_lines
from data_prep.schema.records import PackedPair
from data_prep.schema.text import DescribedClip, WeightedQuestion
from stepdiff_jax.jsonl import write_jsonl

RATE = 30
CLIP_SECONDS = 10
BITS_PER_SECOND = 1_500_000
"""Roughly what a video site uses at this resolution."""
CLIPS_PER_VIDEO = 5
VOCABULARY = 2000
"""Distinct words in all descriptions; each keystep draws its own from WORDS of them."""
WORDS = 14


def write_videos(directory: Path, *, videos: int, seconds: int, size: tuple[int, int]) -> None:
    """Write H.264 files `<n>.mp4` of `size` (width, height) at 30 frames per second, with B-frames
    and a keyframe every 5 s: a camera moving over a textured scene, with sensor noise.
    """
    import av

    directory.mkdir(parents=True, exist_ok=True)
    width, height = size
    for number in range(videos):
        rng = np.random.default_rng((0, number))
        scene = _texture(rng, height + 64, width + 64)
        noises = [rng.integers(0, 6, (height, width, 1), np.uint8) for _ in range(8)]
        options = {"preset": "veryfast", "g": str(5 * RATE)}
        with av.open(str(directory / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.bit_rate = BITS_PER_SECOND
            for frame in range(seconds * RATE):
                y, x = (round(32 + 31 * wave(frame / 60)) for wave in (np.sin, np.cos))
                image = scene[y : y + height, x : x + width]
                picture = av.VideoFrame.from_ndarray(image + noises[frame % 8], format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A smooth image, uint8 [height, width, 3], with detail at several scales."""
    from PIL import Image

    total = np.zeros((height, width, 3), np.float32)
    for cell in (256, 96, 48, 24):
        coarse = rng.integers(0, 57, (height // cell + 2, width // cell + 2, 3), np.uint8)
        total += np.asarray(Image.fromarray(coarse).resize((width, height)))
    return total.astype(np.uint8)


def write_video_clips(path: Path, clips: int, *, videos: int, seconds: int) -> None:
    """Write clips.jsonl with 10 s clips spread over the videos, which are in videos/ beside it."""
    starts = np.linspace(0, seconds - CLIP_SECONDS, max(clips // videos, 1)).round(2).tolist()
    spans = [(number % videos, starts[number // videos % len(starts)]) for number in range(clips)]
    rows = [
        clip_row(f"bench{number}_{start}_{start + CLIP_SECONDS}", number, video, start)
        for number, (video, start) in enumerate(spans)
    ]
    write_jsonl(path, rows)


def clip_row(name: str, keystep: int, video: int, start: float) -> dict[str, Any]:
    """A line of clips.jsonl."""
    return Clip(
        clip=name,
        video=f"videos/{video}.mp4",
        start=start,
        end=start + CLIP_SECONDS,
        keystep=f"keystep {keystep}",
        activity="cook",
        narration="now we add a little of this and stir it well before we go on",
        split="train",
    ).row()


def write_described_clips(directory: Path, *, clips: int, keysteps: int, seed: int) -> list[int]:
    """Write clips.jsonl and descriptions.jsonl of synthetic clips; returns clips per keystep.

    Keystep sizes follow exponential shares: the largest of 5,000 has about nine times the mean
    (HT-Step's validation split: six times, of 983). A description has 12 to 25 words, most of
    them from its keystep.
    """
    rng = np.random.default_rng(seed)
    shares = rng.exponential(size=keysteps)
    of = np.sort(rng.choice(keysteps, clips, p=shares / shares.sum()))
    videos = rng.integers(0, max(clips // CLIPS_PER_VIDEO, 2), clips)
    names = [f"video{video:06}_{n}_{n + CLIP_SECONDS}" for n, video in enumerate(videos)]
    write_jsonl(
        directory / "clips.jsonl",
        (clip_row(name, int(of[n]), int(videos[n]), float(n)) for n, name in enumerate(names)),
    )
    write_jsonl(directory / "descriptions.jsonl", _descriptions(names, of, rng))
    return np.bincount(of, minlength=keysteps).tolist()


def write_questions(directory: Path, pairs: int, *, seed: int) -> None:
    """Write pairs.jsonl with three questions per pair about the clips of clips.jsonl beside it."""
    clips = [clip.clip for _, clip in stream_lines(directory / CLIPS_FILE, ClipSpan)]
    rng = np.random.default_rng(seed)
    write_jsonl(directory / "pairs.jsonl", (_asked(clips, rng) for _ in range(pairs)))


def _asked(clips: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    reference, candidate = rng.choice(len(clips), 2, replace=False)
    answer = "the person uses a wooden spoon in the first video and a whisk in the second"
    question = "what is the main difference between the two videos"
    questions = [WeightedQuestion(question, f"{answer} {n}") for n in rng.integers(9, size=3)]
    return PackedPair(clips[reference], clips[candidate], questions, "train").row()


def _descriptions(
    names: list[str], keysteps: np.ndarray, rng: np.random.Generator
) -> Iterator[dict[str, str]]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(VOCABULARY)])
    for name, keystep in zip(names, keysteps):
        own = np.random.default_rng(int(keystep)).choice(VOCABULARY, WORDS)
        count = rng.integers(12, 26)
        of_keystep = rng.random(count) < 0.9
        chosen = np.where(of_keystep, rng.choice(own, count), rng.choice(VOCABULARY, count))
        yield DescribedClip(name, " ".join(words[chosen])).row()
