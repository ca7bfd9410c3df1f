"""Evaluation of other systems than the trained one: embeddings, captions, other people's models."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.external_models import write_llava
from tests.rehearsal.data_steps import BENCHMARK_DATA, lines
from tests.rehearsal.walk import Walk, require

LIMIT = 2
"""Instances of each task: each system's command is walked, not its rate measured."""


def evaluate_systems(
    walk: Walk, words: tuple[object, ...], run: Path, clip: Path, interleaved: Path
) -> None:
    """Evaluate five systems on some instances.

    Args:
        words: of `stepdiff evaluate`, without a system; run: the run directory that they name.
        clip: CLIP's weights; interleaved: the run on narrated sequences.
    """
    llava = Path("weights/tiny-llava")
    write_llava(walk.directory / llava)
    systems: dict[str, tuple[object, ...]] = {
        "vlembed": ("--variant", "difference"),
        "vlembed_clip": ("--clip", clip),
        "interleaved": ("--run", interleaved, "--beams", 2, "--new-tokens", 8),
        "socratic": ("--captioner", llava),
        "multi_video": ("--weights", llava, "--frames", 2, "--new-tokens", 8),
    }
    for system, options in systems.items():
        flags = ("--system", system, *options, "--limit", LIMIT)
        walk.run(
            f"evaluate, {system}",
            *(*words, "--data.directory", BENCHMARK_DATA, *flags),
            check=_sampled(walk, run / "systems" / system / f"partial/first-{LIMIT}"),
        )


def _sampled(walk: Walk, directory: Path) -> Callable[[str], str]:
    """Every answer is in the log, with what was seen."""

    def check(out: str) -> str:
        tasks = json.loads(out.strip().splitlines()[-1])
        for task in tasks:
            path = directory / "predictions/all" / f"samples_{task}.jsonl"
            samples = lines(walk.directory / path)
            require([one["id"] for one in samples] == list(range(LIMIT)), f"{path}: other ids")
            for one in samples:
                require(len(one["clips"][0]["frames"]) == 64, f"{path}: no digest of the frames")
        return f"{', '.join(tasks)}: {LIMIT} instances each"

    return check
