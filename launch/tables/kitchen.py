"""The rows of Table 1 on the rendered kitchen, from a quickstart's weights.

The paper's models of images are stood in for by the kitchen's own models on the middle frame.
"""

from pathlib import Path

import configs.kitchen
from data_prep.kitchen import language
from data_prep.kitchen.oracle import read_truth
from data_prep.kitchen.world import KEYSTEPS
from launch.tables.paper import TABLE_1
from launch.tables.rows import Row
from stepdiff_jax.config import CHECKPOINTS, Experiment
from stepdiff_jax.jsonl import write_jsonl

MIDDLE = ("--clip-frames", "middle")
CEILING = "Ceiling (true descriptions)"
"""A row of ours: what the language model could do if it saw everything."""


def prepare(quickstart: Path, directory: Path, split: str) -> None:
    """Train what is missing, and write the descriptions that Socratic models read.

    Args:
        quickstart: directory of a quickstart, which is run if it has not been.
        directory: where descriptions go to.
    """
    from stepdiff_jax.training.loop import train

    prepare_quickstart(quickstart)
    single = _single(quickstart)
    if not _trained(single):
        train(single)
    clips = read_truth(quickstart / "world/truth.jsonl", split)
    step = {one.clip: f"the person is going to {KEYSTEPS[one.scene.keystep]}" for one in clips}
    true = {one.clip: language.describe(one.scene) for one in clips}
    for name, texts in (("step", step), ("true", true)):
        rows = [{"clip": clip, "description": text} for clip, text in texts.items()]
        write_jsonl(_descriptions(directory, name), rows)


def prepare_quickstart(directory: Path) -> None:
    """Run a quickstart, unless its models have made all of their steps."""
    from launch.quickstart.run import Quickstart, run

    if not all(map(_trained, (_interleaved(directory), _stepdiff(directory)))):
        run(Quickstart(directory=directory))


def rows(quickstart: Path, directory: Path, split: str) -> list[Row]:
    """The paper's ten rows, and the ceiling."""
    single, interleaved, stepdiff = (
        ("--run", one.loop.run_directory)
        for one in (_single(quickstart), _interleaved(quickstart), _stepdiff(quickstart))
    )
    captioner = ("--system", "socratic", "--captioner-run", single[1])
    step, true = (
        ("--system", "socratic", "--descriptions", str(_descriptions(directory, name)))
        for name in ("step", "true")
    )
    measured: dict[str, tuple[tuple[str, ...], str]] = {
        "VLEmbed (CLIP)": (
            ("--system", "vlembed", *MIDDLE),
            "the kitchen's encoder on the middle frame",
        ),
        "VLEmbed (InternVideo)": (("--system", "vlembed"), "the kitchen's encoder"),
        "Socratic (BLIP-2)": (
            (*captioner, *MIDDLE),
            "captions by the single-video model on the middle frame",
        ),
        "Socratic (LLaVA)": (
            captioner,
            "captions by the single-video model on all frames",
        ),
        "Socratic (step description)": (step, "the name of the step, alike for all its videos"),
        "VCLM (LLaVA)": (
            ("--system", "vclm", *single, *MIDDLE),
            "the single-video model on both middle frames",
        ),
        "VCLM (AnyMAL)": (("--system", "vclm", *single), "our model, trained on single videos"),
        "Interleaved (IDEFICS)": (
            ("--system", "interleaved", *interleaved, *MIDDLE),
            "the Interleaved model below on the middle frames",
        ),
        "Interleaved (AnyMAL)": (
            ("--system", "interleaved", *interleaved),
            "the same model, trained on narrated sequences",
        ),
        "StepDiff": (
            ("--system", "stepdiff", *stepdiff),
            "the same model, trained on pairs of videos, too",
        ),
        CEILING: (true, "the language model, reading perfect descriptions"),
    }
    common = ("--data.directory", str(quickstart / "data"), "--split", split)
    return [
        Row(name, "kitchen", (*flags, *common), paper=TABLE_1.get(name, {}), stands_in=what)
        for name, (flags, what) in measured.items()
    ]


def _single(quickstart: Path) -> Experiment:
    return configs.kitchen.single(runs=str(quickstart))


def _interleaved(quickstart: Path) -> Experiment:
    return configs.kitchen.interleaved(runs=str(quickstart))


def _stepdiff(quickstart: Path) -> Experiment:
    return configs.kitchen.experiment(runs=str(quickstart))


def _trained(experiment: Experiment) -> bool:
    """Whether the run has made all of its steps."""
    checkpoints = Path(experiment.loop.run_directory) / CHECKPOINTS
    return (checkpoints / str(experiment.optimizer.steps)).is_dir()


def _descriptions(directory: Path, name: str) -> Path:
    return directory / f"{name}_descriptions.jsonl"
