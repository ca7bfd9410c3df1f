"""Writes the page of `stepdiff prep inspect`."""

from pathlib import Path

from data_prep.frames.files import read_frames
from data_prep.inspect.cards import card
from data_prep.inspect.clip_frames import clip_frames
from data_prep.inspect.overview import reasons_html, stages_html, tiles
from data_prep.inspect.sample import Sample, sample_pairs
from data_prep.inspect.stage_files import read_counts, stream_stage
from data_prep.schema.clips import FRAMES_FILE
from data_prep.schema.pages import ShownClip, ShownDescription, ShownPair
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_text
from stepdiff_jax.report.page import Html, element, page

STYLE = """
.tiles { grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); }
.chip { display: inline-block; font-size: .8rem; font-weight: 500; line-height: 1.3;
  padding: .1rem .5rem; border-radius: 1rem; border: 1px solid currentColor; }
.chip.good { color: var(--right); } .chip.bad { color: var(--wrong); }
.rules .chip { margin: .25rem .4rem 0 0; border-radius: .4rem; }
.missing { color: var(--wrong); font-size: .9rem; }
.timed span { display: block; } .timed small { display: block; text-align: center; }
.questions { margin: .75rem 0 0; padding-left: 1.4rem; border-top: 1px solid var(--line); }
.questions li { padding: .55rem 0 0; } .questions li::marker { color: var(--quiet); }
.questions .asked { color: var(--quiet); }
.questions del { font-weight: 400; text-decoration-thickness: 1px; }
.card header p { margin-top: -.5rem; }
.card dl { margin-bottom: 1rem; }
td { white-space: nowrap; }
"""


def write_page(source: Path, destination: Path, *, sample: int = 20, seed: int = 0) -> int:
    """Write a page about the output of the stages in `source`; returns the number of pairs shown.

    Half of the pairs shown have removed questions, if there are enough. The page is self-contained
    and is written atomically.

    Raises:
        InputError: the directory does not exist, has no output of a stage, or has an invalid file.
    """
    if sample < 0:
        raise InputError(f"--sample must not be negative, got {sample}")
    if not source.is_dir():
        raise InputError(f"{source}: no such directory")
    stages = read_counts(source)
    pairs = sample_pairs(source, sample, seed)
    if not (stages or pairs.of or any(stream_stage(source, "clips", ShownClip))):
        raise InputError(f"{source}: has no output of any stage (clips.jsonl, *.summary.json)")
    title = f"Training data in {source.resolve().name}"
    document = page(
        title,
        element("style", Html(STYLE)),
        element("h1", title),
        element("p", INTRODUCTION),
        tiles(stages),
        element("h2", "Stages"),
        stages_html(stages),
        element("h2", "Drops by reason"),
        reasons_html(stages),
        element("h2", "Sample pairs"),
        element("p", _sample_note(pairs, seed), class_="quiet"),
        *_cards(source, pairs.rows),
    )
    write_text(destination, document)
    return len(pairs.rows)


INTRODUCTION = (
    "From annotated videos to questions about pairs of clips of one step: what each stage of "
    "stepdiff prep took in, what it left out and why, and a sample of what came out."
)


def _cards(source: Path, chosen: list[ShownPair]) -> list[Html]:
    wanted = {clip for pair in chosen for clip in pair.clips().values()}
    known = {
        clip.clip: clip for clip in stream_stage(source, "clips", ShownClip) if clip.clip in wanted
    }
    descriptions = {
        found.clip: found
        for found in stream_stage(source, "descriptions", ShownDescription)
        if found.clip in wanted
    }
    stored = read_frames(source) if (source / FRAMES_FILE).exists() else {}
    frames = {name: clip_frames(source, clip, stored.get(name)) for name, clip in known.items()}
    return [
        card(number, pair, known, descriptions, frames)
        for number, pair in enumerate(chosen, start=1)
    ]


def _sample_note(pairs: Sample, seed: int) -> str:
    if not pairs.stage:
        return "No pairs yet."
    about = {
        "filtered": f"of {pairs.touched:,} of them the filter removed something, and half of those "
        "shown are of these, if there are as many. What it removed is struck through, with every "
        "rule that speaks against it",
        "questions": "the filter has not run, so nothing is removed",
        "pairs": "no questions have been generated yet",
    }[pairs.stage]
    return (
        f"{len(pairs.rows)} of {pairs.of:,} pairs, drawn by seed {seed}: {about}. Words that the "
        "other description lacks are bold. Below the frames: seconds."
    )
