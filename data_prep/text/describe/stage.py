"""The describe stage: clips.jsonl -> one step description per clip (section 3.2, figure 2)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.schema.clips import StepClip
from data_prep.schema.line import stream_lines
from data_prep.schema.text import (
    Description,
    DescriptionCost,
    DescriptionCounts,
    Dropped,
    Seen,
    UnreadableDescription,
)
from data_prep.stage import Rejected, Shard, run_stage
from data_prep.text.describe.base import Scorer
from data_prep.text.language_models.base import LanguageModel, LanguageModelError, Prompt
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.captioners.base import Captioner, Captions, Clip

PROMPT = (
    "A clip of an instructional video shows the step: {keystep}.\n"
    "What the speaker says (may be off topic): {narration}\n"
    "Actions that are seen: {actions}\n"
    "Objects that are seen: {objects}\n"
    "Describe in one or two sentences what the person does in this step, with which ingredients "
    "and tools and how. Use only what is written above."
)
"""Ours: the paper's prompt is in its supplementary material, which is not available."""

LONGEST_DESCRIPTION = 2000
"""Characters; a longer answer counts as a model that failed to stop. Ours."""


@dataclass(frozen=True)
class Sources:
    """The stage's backends; without a captioner nothing is added, without a scorer none removed."""

    language_model: LanguageModel
    captioner: Captioner | None = None
    detector: Scorer | None = None
    grounding: Scorer | None = None
    frames: Callable[[StepClip], np.ndarray] | None = None
    """Returns the frames of a clip, uint8 [T, H, W, 3]."""


@dataclass(frozen=True)
class ScoreLimits:
    """Minimum scores to keep a phrase; ours (the paper does not give its own)."""

    object_score: float = 0.1
    action_score: float = 0.2


def describe_clips(
    sources: Sources, limits: ScoreLimits, clips: Sequence[StepClip]
) -> Iterator[Description | Rejected]:
    """Yield one result per clip: what was seen, what was dropped, and the description."""
    seen = [_seen(sources, limits, clip) for clip in clips]
    prompts = [
        Prompt(_user_text(clip, found), facts={"clip": clip.clip})
        for clip, found in zip(clips, seen)
        if not isinstance(found, Rejected)
    ]
    replies = sources.language_model.complete(prompts)
    for clip, found in zip(clips, seen):
        if isinstance(found, Rejected):
            yield found
            continue
        reply = next(replies)
        if isinstance(reply, LanguageModelError):
            yield Rejected("no answer of the language model", str(reply))
            continue
        cost = DescriptionCost(1, reply.prompt_tokens, reply.completion_tokens)
        description = " ".join(reply.text.split())
        if not 0 < len(description) <= LONGEST_DESCRIPTION:
            yield Rejected(
                "description is empty or too long",
                f"{len(description)} characters",
                UnreadableDescription(reply.text, cost),
            )
        else:
            yield Description(
                clip.clip, description, found.actions, found.objects, found.dropped, cost
            )


def write_descriptions(
    clips: Path,
    destination: Path,
    sources: Sources,
    limits: ScoreLimits,
    *,
    shard: Shard,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe the clips in clips.jsonl; returns the summary.

    A clip whose video or captions cannot be read is quarantined.

    Raises:
        InputError: the file cannot be read, or a line lacks a field.
    """
    return run_stage(
        [dict(line.fields) for line, _ in stream_lines(clips, StepClip)],
        StepClip,
        partial(describe_clips, sources, limits),
        destination,
        shard=shard,
        settings={**settings, **asdict(limits), "prompt": PROMPT},
        counts=lambda row: DescriptionCounts.of(row).counts(),
    )


def _seen(sources: Sources, limits: ScoreLimits, clip: StepClip) -> Seen | Rejected:
    """The captions kept, and those dropped with their scores."""
    try:
        shown = Clip(clip.clip, sources.frames(clip) if sources.frames else None)
        captions = sources.captioner.caption(shown) if sources.captioner else Captions((), ())
        actions = _keep(sources.grounding, shown, captions.actions, limits.action_score)
        objects = _keep(sources.detector, shown, captions.objects, limits.object_score)
    except InputError as error:
        return Rejected("clip cannot be read", str(error))
    return Seen(actions[0], objects[0], Dropped(actions[1], objects[1]))


def _keep(
    scorer: Scorer | None, clip: Clip, phrases: Sequence[str], least: float
) -> tuple[list[str], dict[str, float]]:
    if scorer is None or not phrases:
        return list(phrases), {}
    scores = dict(zip(phrases, scorer.scores(clip, phrases), strict=True))
    kept = [phrase for phrase in phrases if scores[phrase] >= least]
    return kept, {
        # JSON has no infinity, so unscored phrases get -1e9.
        phrase: max(scores[phrase], -1e9)
        for phrase in phrases
        if phrase not in kept
    }


def _user_text(clip: StepClip, seen: Seen) -> str:
    return PROMPT.format(
        keystep=clip.keystep,
        narration=clip.narration.strip() or "nothing",
        actions="; ".join(seen.actions) or "none",
        objects="; ".join(seen.objects) or "none",
    )
