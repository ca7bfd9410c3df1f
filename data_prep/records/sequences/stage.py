"""The sequences stage: interleaved (video, narration) sequences (section 4) and single clips.

One command runs two stages on the same rows, one row per video of a split: sequences.jsonl for
"Interleaved", and single.jsonl for the baseline with AnyMAL's prompt.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.records.sequences.groups import cut_at_gaps, split_by_cost, split_evenly
from data_prep.records.sequences.token_budget import TokenBudget
from data_prep.schema.clips import CLIPS_FILE, SpokenClip
from data_prep.schema.line import Row, stream_distinct
from data_prep.schema.records import (
    SEQUENCES_FILE,
    SINGLE_FILE,
    LeftOutClip,
    Narrated,
    VideoClips,
    VideoSequences,
)
from data_prep.schema.records import Sequence as SequenceLine
from data_prep.schema.stages import RecordCounts
from data_prep.stage import Shard, run_stage
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError

CLIPS_PER_SEQUENCE = 3
"""Maximum clips per sequence (ours; the paper does not give its sequence length)."""

LATENTS = 32
"""Resampler latents per clip (section 4)."""


@dataclass(frozen=True)
class SequenceLimits:
    """Limits on the length of sequences; all values are ours.

    clips_per_sequence: None for no limit.
    tokens: budget of a sequence, and of a single clip with its prompt; None for no limit.
    latents: tokens per video clip.
    longest_gap: longest gap between clips of a sequence, in seconds; None for no limit.
    """

    clips_per_sequence: int | None = CLIPS_PER_SEQUENCE
    tokens: int | None = None
    latents: int = LATENTS
    longest_gap: float | None = None

    def __post_init__(self) -> None:
        if self.clips_per_sequence is None and self.tokens is None:
            raise InputError("sequences need a limit: --clips-per-sequence or --tokens")
        if self.clips_per_sequence is not None and self.clips_per_sequence < 2:
            raise InputError(
                f"--clips-per-sequence must be at least 2, got {self.clips_per_sequence}"
            )
        for name in ("tokens", "latents"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} must be positive, got {value}")
        if self.longest_gap is not None and not self.longest_gap >= 0:
            raise InputError(f"--longest-gap must not be negative, got {self.longest_gap}")


def write_sequences(
    directory: Path,
    limits: SequenceLimits | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    shard: Shard | None = None,
) -> dict[str, dict[str, Any]]:
    """Write sequences.jsonl and single.jsonl beside clips.jsonl; returns the summaries by file.

    A video's narrated clips, in order of time, are split into as few and as even sequences as the
    limits allow, each clip in one. The quarantine file has the other clips: those without a
    narration, too long for the budget (nothing is ever truncated), or alone in their sequence.
    single.jsonl has all narrated clips within the budget. Sequences may span left-out clips.

    Raises:
        InputError: a budget without a tokenizer or vice versa, clips.jsonl is missing or invalid,
            or no clip has a narration; see also `run_stage`.
    """
    limits, shard = limits or SequenceLimits(), shard or Shard()
    budget = _budget(limits, tokenizer)
    rows = _videos(directory / CLIPS_FILE)
    kinds: dict[str, Callable[[VideoClips], VideoSequences]] = {
        SEQUENCES_FILE: lambda video: _sequences(video, limits, budget),
        SINGLE_FILE: lambda video: _singles(video, budget),
    }
    settings = {**asdict(limits), "tokenizer": budget.tokenizer_digest if budget else None}
    return {
        name: _run(rows, done, directory / name, shard, settings) for name, done in kinds.items()
    }


def _budget(limits: SequenceLimits, tokenizer: Tokenizer | None) -> TokenBudget | None:
    if (limits.tokens is None) != (tokenizer is None):
        raise InputError("--tokens and --tokenizer must be given together")
    if limits.tokens is None or tokenizer is None:
        return None
    return TokenBudget(tokenizer, limits.tokens, limits.latents)


def _run(
    rows: Sequence[Row],
    done: Callable[[VideoClips], VideoSequences],
    destination: Path,
    shard: Shard,
    settings: Row,
) -> dict[str, Any]:
    def work(batch: Sequence[VideoClips]) -> Iterator[VideoSequences]:
        yield from map(done, batch)

    summary = run_stage(
        rows,
        VideoClips,
        work,
        destination,
        shard=shard,
        settings=settings,
        counts=lambda result: VideoSequences.of(result).counts,
        lines=lambda row, result: (line.row() for line in VideoSequences.of(result).lines),
        set_aside=lambda row, result: (clip.row() for clip in VideoSequences.of(result).set_aside),
        result_of=None,
    )
    if not RecordCounts.of(summary).left:
        # All readers reject an empty file.
        shard.path(destination, ".jsonl").unlink(missing_ok=True)
    return summary


def _videos(path: Path) -> list[Row]:
    """The videos of each split, with their clips in order of time."""
    videos: dict[tuple[str, str], list[Narrated]] = {}
    spoken = False
    for _, clip in stream_distinct(path, SpokenClip, "is also in line {line}"):
        narration = clip.narration.strip()
        spoken = spoken or bool(narration)
        narrated = Narrated(clip.clip, clip.start, clip.end, narration)
        videos.setdefault((clip.split, clip.video), []).append(narrated)
    if not spoken:
        raise InputError(f"{path}: no clip has a narration")
    return [
        VideoClips(split, video, sorted(clips, key=lambda clip: clip.start)).row()
        for (split, video), clips in videos.items()
    ]


def _sequences(
    video: VideoClips, limits: SequenceLimits, budget: TokenBudget | None
) -> VideoSequences:
    kept, left_out = _spoken(video)
    costs = {clip.clip: budget.added(clip.narration) if budget else 0 for clip in kept}
    start = budget.start if budget else 0
    kept, long = _within(video, kept, {name: start + cost for name, cost in costs.items()}, budget)
    groups: list[Sequence[Narrated]] = []
    starts, ends = [clip.start for clip in kept], [clip.end for clip in kept]
    for run in cut_at_gaps(kept, starts, ends, limits.longest_gap):
        run_costs = [costs[clip.clip] for clip in run]
        if budget:
            left = budget.tokens - budget.start
            groups += split_by_cost(run, run_costs, left, limits.clips_per_sequence)
        else:
            groups += split_evenly(run, limits.clips_per_sequence or len(run))
    alone = [_left_out(video, group[0], "clip stands alone") for group in groups if len(group) == 1]
    groups = [group for group in groups if len(group) > 1]
    tokens = sum(start + sum(costs[clip.clip] for clip in group) for group in groups)
    return _result(video, groups, [*left_out, *long, *alone], tokens)


def _singles(video: VideoClips, budget: TokenBudget | None) -> VideoSequences:
    kept, left_out = _spoken(video)
    costs = {clip.clip: budget.single(clip.narration) if budget else 0 for clip in kept}
    kept, long = _within(video, kept, costs, budget)
    tokens = sum(costs[clip.clip] for clip in kept)
    return _result(video, [[clip] for clip in kept], [*left_out, *long], tokens)


def _spoken(video: VideoClips) -> tuple[list[Narrated], list[LeftOutClip]]:
    """The clips with a narration, and those without."""
    kept = [clip for clip in video.clips if clip.narration]
    silent = [clip for clip in video.clips if not clip.narration]
    return kept, [_left_out(video, clip, "clip has no narration") for clip in silent]


def _within(
    video: VideoClips,
    clips: Iterable[Narrated],
    costs: Mapping[str, int],
    budget: TokenBudget | None,
) -> tuple[list[Narrated], list[LeftOutClip]]:
    """The clips that fit the budget on their own, and those that do not."""
    kept, long = [], []
    for clip in clips:
        cost = costs[clip.clip]
        if budget and cost > budget.tokens:
            detail = f"{cost} tokens, --tokens {budget.tokens}"
            long.append(_left_out(video, clip, "clip is longer than the budget", detail))
        else:
            kept.append(clip)
    return kept, long


def _left_out(video: VideoClips, clip: Narrated, reason: str, detail: str = "") -> LeftOutClip:
    return LeftOutClip(
        video.video, video.split, clip.clip, clip.start, clip.end, clip.narration, reason, detail
    )


def _result(
    video: VideoClips,
    groups: Sequence[Sequence[Narrated]],
    left_out: list[LeftOutClip],
    tokens: int,
) -> VideoSequences:
    lines = [
        SequenceLine([clip.clip for clip in group], [clip.narration for clip in group], video.split)
        for group in groups
    ]
    counts = {"clips in": len(video.clips), "clips out": sum(map(len, groups))}
    if tokens:
        counts["tokens"] = tokens
    return VideoSequences(lines, left_out, counts)
