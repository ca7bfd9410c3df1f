"""The describe stage: clips.jsonl -> one step description for each clip (section 3.2, figure 2)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.stage import Rejected, Row, Shard, run_stage
from data_prep.text.describe.base import Captioner, Captions, Clip, Scorer
from data_prep.text.language_models.base import LanguageModel, LanguageModelError, Prompt
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl

PROMPT = (
    "A clip of an instructional video shows the step: {keystep}.\n"
    "What the speaker says (may be off topic): {narration}\n"
    "Actions that are seen: {actions}\n"
    "Objects that are seen: {objects}\n"
    "Describe in one or two sentences what the person does in this step, with which ingredients "
    "and tools and how. Use only what is written above."
)
"""Ours: the paper's prompt stands in its supplementary, which is not available."""

LONGEST_DESCRIPTION = 2000
"""Characters; a longer answer is taken for a model that runs on. Ours."""


@dataclass(frozen=True)
class Sources:
    """The backends of the stage; what is None adds nothing, or removes nothing."""

    language_model: LanguageModel
    captioner: Captioner | None = None
    detector: Scorer | None = None
    grounding: Scorer | None = None
    frames: Callable[[Row], np.ndarray] | None = None
    """The frames of a line of clips.jsonl, uint8 [T, H, W, 3]."""


@dataclass(frozen=True)
class Limits:
    """The least scores of what is kept; ours (the paper does not tell its own)."""

    object_score: float = 0.1
    action_score: float = 0.2


def describe_clips(
    sources: Sources, limits: Limits, rows: Sequence[Row]
) -> Iterator[Row | Rejected]:
    """One result for each line of clips.jsonl: what was seen, what was dropped, the description."""
    seen = [_seen(sources, limits, row) for row in rows]
    prompts = [
        Prompt(_user_text(row, found), facts={"clip": row["clip"]})
        for row, found in zip(rows, seen)
        if not isinstance(found, Rejected)
    ]
    replies = sources.language_model.complete(prompts)
    for row, found in zip(rows, seen):
        if isinstance(found, Rejected):
            yield found
            continue
        reply = next(replies)
        if isinstance(reply, LanguageModelError):
            yield Rejected("no answer of the language model", str(reply))
            continue
        cost = {
            "calls": 1,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
        }
        description = " ".join(reply.text.split())
        if not 0 < len(description) <= LONGEST_DESCRIPTION:
            yield Rejected(
                "description is empty or too long",
                f"{len(description)} characters",
                {"raw": reply.text, "cost": cost},
            )
        else:
            yield {"clip": row["clip"], "description": description, **found, "cost": cost}


def write_descriptions(
    clips: Path,
    destination: Path,
    sources: Sources,
    limits: Limits,
    *,
    shard: Shard,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe the clips of clips.jsonl; returns the summary.

    A clip whose video or captions cannot be read is quarantined.

    Raises:
        InputError: the file cannot be read, or a line lacks a field.
    """
    rows = []
    for line in read_jsonl(clips):
        for name in ("clip", "keystep", "narration"):
            line.string(name)
        rows.append(dict(line.fields))
    return run_stage(
        rows,
        lambda row: row["clip"],
        partial(describe_clips, sources, limits),
        destination,
        shard=shard,
        settings={**settings, **asdict(limits), "prompt": PROMPT},
        counts=_counts,
    )


def _seen(sources: Sources, limits: Limits, row: Row) -> Row | Rejected:
    """Captions that were kept, and what was dropped with its score."""
    try:
        clip = Clip(row["clip"], sources.frames(row) if sources.frames else None)
        captions = sources.captioner.caption(clip) if sources.captioner else Captions((), ())
        actions = _keep(sources.grounding, clip, captions.actions, limits.action_score)
        objects = _keep(sources.detector, clip, captions.objects, limits.object_score)
    except InputError as error:
        return Rejected("clip cannot be read", str(error))
    return {
        "actions": actions[0],
        "objects": objects[0],
        "dropped": {"actions": actions[1], "objects": objects[1]},
    }


def _keep(
    scorer: Scorer | None, clip: Clip, phrases: Sequence[str], least: float
) -> tuple[list[str], dict[str, float]]:
    if scorer is None or not phrases:
        return list(phrases), {}
    scores = dict(zip(phrases, scorer.scores(clip, phrases), strict=True))
    kept = [phrase for phrase in phrases if scores[phrase] >= least]
    return kept, {
        # JSON has no infinity: a phrase that was never scored counts as -1e9.
        phrase: max(scores[phrase], -1e9)
        for phrase in phrases
        if phrase not in kept
    }


def _user_text(row: Row, seen: Row) -> str:
    lists = {name: "; ".join(seen[name]) or "none" for name in ("actions", "objects")}
    return PROMPT.format(
        keystep=row["keystep"], narration=row["narration"].strip() or "nothing", **lists
    )


def _counts(row: Row) -> dict[str, int]:
    dropped = row.get("dropped", {"actions": (), "objects": ()})
    return {
        "actions kept": len(row.get("actions", ())),
        "objects kept": len(row.get("objects", ())),
        "actions dropped": len(dropped["actions"]),
        "objects dropped": len(dropped["objects"]),
        **row.get("cost", {}),
    }
