"""How the models of transformers are shown clips and asked about them.

The sentences around the clips are those of `data/prompts.py`, the paper's for two; what each model
wants around them is its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from stepdiff_jax.data.prompts import Text, Video, clips_prefix
from stepdiff_jax.errors import InputError
from stepdiff_jax.systems.language import Asked

Part = str | int
"""A text, or a clip by its index into `Asked.clips`."""


def content(asked: Asked) -> list[Part]:
    """The texts and clips of a question, in order, as one turn; a text is first and last."""
    clips = [Video(index) for index in range(len(asked.clips))]
    parts: list[Part] = []
    for segment in clips_prefix(clips) if clips else ():
        if isinstance(segment, Video):
            parts.append(segment.clip)
        elif isinstance(segment, Text):
            parts.append(segment.text.lstrip())
    end = ". " if clips else ""
    return [*parts, f"{end}{asked.question}"]


class Shown(NamedTuple):
    """What is shown of a clip: frames, uint8 [H, W, 3] each, and their times in seconds."""

    frames: Sequence[np.ndarray]
    times: Sequence[float]


class Prompter(Protocol):
    """Writes a question for one kind of model, up to where the answer begins."""

    def text(self, asked: Asked) -> str:
        """The prompt as one text, for logs, with <video:CLIP> for each clip."""
        ...

    def inputs(self, asked: Asked, shown: Sequence[Shown]) -> Any:
        """The processor's output for one prompt, as torch tensors.

        Args:
            shown: of each clip of the question.
        """
        ...


@dataclass(frozen=True)
class LlavaPrompter:
    """LLaVA-1.5 (Vicuna): an image token wherever a frame is shown.

    Not by its chat template, which would move all images before the text.
    """

    processor: Any

    def text(self, asked: Asked) -> str:
        """See `Prompter`."""
        return self._written(asked, [_named(clip) for clip in asked.clips])

    def inputs(self, asked: Asked, shown: Sequence[Shown]) -> Any:
        """See `Prompter`."""
        text = self._written(asked, ["<image>" * len(clip.frames) for clip in shown])
        return self.processor(text=[text], images=_all_frames(shown), return_tensors="pt")

    def _written(self, asked: Asked, slots: Sequence[str]) -> str:
        shown = "".join(
            part if isinstance(part, str) else f" {slots[part]}" for part in content(asked)
        )
        return f"USER: {shown} ASSISTANT:"


@dataclass(frozen=True)
class IdeficsPrompter:
    """IDEFICS (instruct): texts and images in turn, as its processor takes them."""

    processor: Any

    def text(self, asked: Asked) -> str:
        """See `Prompter`."""
        return "".join(
            part if isinstance(part, str) else f" {_named(asked.clips[part])}"
            for part in self._parts(asked)
        )

    def inputs(self, asked: Asked, shown: Sequence[Shown]) -> Any:
        """See `Prompter`."""
        from PIL import Image

        prompt: list[Any] = []
        for part in self._parts(asked):
            if isinstance(part, str):
                prompt.append(part)
            else:
                prompt += [Image.fromarray(frame) for frame in shown[part].frames]
        return self.processor(text=[prompt], add_end_of_utterance_token=False, return_tensors="pt")

    def _parts(self, asked: Asked) -> list[Part]:
        parts = content(asked)
        parts[0] = f"User: {parts[0]}"
        parts[-1] = f"{parts[-1]}<end_of_utterance>\nAssistant:"
        return parts


@dataclass(frozen=True)
class ChatPrompter:
    """Any model with a chat template; clips as videos, or else as images.

    videos: whether clips are videos to the processor. These are passed with the frames that we
        chose, and their times.
    """

    processor: Any
    videos: bool

    def text(self, asked: Asked) -> str:
        """See `Prompter`."""
        return self._written(asked, [[_text(_named(clip))] for clip in asked.clips])

    def inputs(self, asked: Asked, shown: Sequence[Shown]) -> Any:
        """See `Prompter`."""
        given: dict[str, Any] = {}
        if self.videos and shown:
            slots = [[{"type": "video"}] for _ in shown]
            given["videos"] = [np.stack(clip.frames) for clip in shown]
            given["video_metadata"] = [clip_metadata(clip) for clip in shown]
            given["do_sample_frames"] = False
        else:
            slots = [[{"type": "image"}] * len(clip.frames) for clip in shown]
            if shown:
                # A list for the one prompt, as some processors take a flat one for several.
                given["images"] = [_all_frames(shown)]
        text = self._written(asked, slots)
        # Some templates write the token that the tokenizer would put in front.
        first = getattr(self.processor.tokenizer, "bos_token", None)
        if first and text.startswith(first):
            given["add_special_tokens"] = False
        return self.processor(text=[text], **given, return_tensors="pt")

    def _written(self, asked: Asked, slots: Sequence[Sequence[Mapping[str, Any]]]) -> str:
        turn: list[Mapping[str, Any]] = []
        for part in content(asked):
            turn += [_text(part)] if isinstance(part, str) else slots[part]
        messages = [{"role": "user", "content": turn}]
        return self.processor.apply_chat_template(messages, add_generation_prompt=True)


def chat_prompter(processor: Any, weights: str) -> ChatPrompter:
    """A prompter for a processor; raises InputError if it has no chat template."""
    if not getattr(processor, "chat_template", None):
        raise InputError(
            f"--weights {weights}: its processor has no chat template, so that it is not known how "
            "the model is prompted"
        )
    return ChatPrompter(processor, getattr(processor, "video_processor", None) is not None)


def _all_frames(shown: Sequence[Shown]) -> list[np.ndarray]:
    return [frame for clip in shown for frame in clip.frames]


TICKS = 1000
"""Frames are numbered by their milliseconds, as they are not evenly spaced in general."""


def clip_metadata(shown: Shown) -> dict[str, Any]:
    """As transformers' `VideoMetadata`: times from the first frame on, and the frames' rate.

    The times are those that Qwen-VL's positions and SmolVLM's prompt are made from.
    """
    times = np.asarray(shown.times, float) - shown.times[0]
    between = times[-1] / max(1, len(times) - 1) or 1.0  # seconds; of a single frame, ours
    length = round(TICKS * between * len(times))
    return {
        "total_num_frames": length,
        "fps": TICKS,
        "duration": length / TICKS,
        "frames_indices": [round(TICKS * time) for time in times.tolist()],
    }


def _named(clip: str) -> str:
    return f"<video:{clip}>"


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
