"""Prompts and frames of an exported StepDiff model: the same token ids and pixels as in training.

Needs numpy, Pillow and sentencepiece (or tokenizers, for a tokenizer.json); reading video files
needs PyAV.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SLOT = -1
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


@dataclass(frozen=True)
class Special:
    """A special token of the language model, by name; within a text, the name is plain text."""

    name: str


class StepDiffProcessor:
    """Builds a model's input from texts and frames, and decodes its answers."""

    def __init__(self, directory: str | Path):
        directory = Path(directory)
        stored = json.loads((directory / "processor_stepdiff.json").read_text())
        self.sizes, self.chat = stored["sizes"], stored["chat"]
        if (directory / "tokenizer.model").exists():
            import sentencepiece

            model = sentencepiece.SentencePieceProcessor(
                model_file=str(directory / "tokenizer.model")
            )
            self.encode, self.decode = model.encode, model.decode
            self.special = model.piece_to_id
        else:
            import tokenizers
            from tokenizers import normalizers

            model = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
            if self.chat["leading_space"]:
                model.normalizer = normalizers.Sequence(
                    [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
                )
                model.pre_tokenizer = None
            model.encode_special_tokens = True
            self.encode = lambda text: model.encode(text, add_special_tokens=False).ids
            self.decode, self.special = model.decode, model.token_to_id
        self.bos = self.special(self.chat["bos"])
        self.stops = [self.special(name) for name in self.chat["stops"]]

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> "StepDiffProcessor":
        """Load a directory that `stepdiff convert torch` wrote."""
        return cls(directory)

    def __call__(self, segments: Sequence[str | Special | np.ndarray]) -> dict[str, Any]:
        """`input_ids` and `frames` of one prompt, for `model.generate` and `model`.

        Args:
            segments: texts, special tokens, and videos as uint8 frames [T, H, W, 3]; any number of
                each.
        """
        ids, videos = [self.bos], []
        for segment in segments:
            if isinstance(segment, str):
                ids += self.encode(segment)
            elif isinstance(segment, Special):
                ids.append(self.special(segment.name))
            else:
                ids += [SLOT] * self.sizes["latents"]
                videos.append(self.crop(segment))
        frames = torch.from_numpy(np.stack(videos)) if videos else None
        return {"input_ids": torch.tensor([ids]), "frames": frames}

    def pair(self, reference: np.ndarray, candidate: np.ndarray, question: str) -> dict[str, Any]:
        """StepDiff's question about two videos (paper, section 3.3)."""
        question = question.strip() if self.chat["trims"] else question
        videos = iter((reference, candidate))
        segments: list[str | Special | np.ndarray] = []
        for part in self.chat["pair"]:
            if "text" in part:
                segments.append(question.join(part["text"]))
            else:
                segments.append(Special(part["special"]) if "special" in part else next(videos))
        return self(segments)

    def answer_ids(self, answer: str) -> torch.Tensor:
        """Token ids [1, tokens] of an answer, for `model.log_likelihood`."""
        return torch.tensor([list(self.encode(answer))])

    def text(self, ids: torch.Tensor) -> str:
        """The text of what `model.generate` returned."""
        known = [int(token) for token in ids.flatten()]
        ends = [index for index, token in enumerate(known) if token in self.stops]
        return self.decode(known[: ends[0]] if ends else known).strip()

    def crop(self, frames: np.ndarray) -> np.ndarray:
        """Resize the short side to `resized_side`, then crop the centre."""
        resize, crop = self.sizes["resized_side"], self.sizes["image_size"]
        height, width = frames.shape[1:3]
        if width < height:
            size = resize, int(resize * height / width)
        else:
            size = int(resize * width / height), resize
        left, top = (round((side - crop) / 2) for side in size)
        box = (left, top, left + crop, top + crop)
        pictures = (
            Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR) for frame in frames
        )
        return np.stack([np.asarray(picture.crop(box)) for picture in pictures])

    def read_video(
        self, path: str | Path, start: float = 0.0, end: float | None = None
    ) -> np.ndarray:
        """uint8 [T, H, W, 3]: the frames nearest to times spread evenly over [start, end] in s.

        Times are from the start of the file, which may be that of its sound. Of a file with
        several video streams the first is read; turned pictures are turned upright.
        """
        import av

        name = str(Path(path).absolute())  # never an address
        with av.open(name, container_options={"protocol_whitelist": "file"}) as container:
            start_time = (container.start_time or 0) / av.time_base
            decoded = [
                (frame.time - start_time, np.rot90(frame.to_ndarray(format="rgb24"), turns(frame)))
                for frame in container.decode(video=0)
                if frame.time is not None
            ]
        if not decoded:
            raise ValueError(f"{path}: no frames with time stamps")
        times = np.array([time for time, _ in decoded])
        start = max(start, times[0])
        last = times[-1] if end is None else min(end, times[-1])
        targets = np.linspace(min(start, last), last, self.sizes["frames"])
        return np.stack([decoded[np.abs(times - target).argmin()][1] for target in targets])


def turns(frame: Any) -> int:
    """Quarter turns, counter-clockwise, that put a decoded frame upright."""
    return round(frame.rotation / 90) % 4
