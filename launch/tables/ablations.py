"""The rows of Table 2 on the rendered kitchen: StepDiff, and what becomes of it without its parts.

All are trained on the same questions, made as noisy as a language model's: StepDiff on what the
filter leaves of them. Each row differs from it in one thing, as in section 4.5.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import configs.kitchen
from launch.tables.paper import SMALLER, TABLE_2
from launch.tables.rows import Row
from stepdiff_jax.config import Experiment, Source
from stepdiff_jax.data.features import FEATURES_DIRECTORY

PARTNERS, SEED = 2, 0
"""As in the quickstart."""

STAND_IN = "StepDiff with a smaller language model"
FILTERED, UNFILTERED = "filtered", "unfiltered"


def prepare(quickstart: Path, directory: Path) -> None:
    """Make the questions, filter and pack them, and train what is missing.

    Args:
        quickstart: directory of a finished quickstart.
        directory: where data and runs go to.
    """
    from stepdiff_jax.training.loop import train

    _write_data(quickstart, directory)
    train(configs.kitchen.interleaved("small", runs=str(quickstart)))
    for experiment in experiments(quickstart, directory).values():
        train(experiment)


def experiments(quickstart: Path, directory: Path) -> Mapping[str, Experiment]:
    """Name of a row -> what is trained for it."""
    base = _on(configs.kitchen.experiment(runs=str(quickstart)), directory, FILTERED, "stepdiff")
    pairs_only = replace(base.data, mixture=(Source("pairs"),))
    small = configs.kitchen.experiment("small", runs=str(quickstart))
    return {
        "StepDiff": base,
        "StepDiff without interleaved data": _on(
            replace(base, data=pairs_only), directory, FILTERED, "without_interleaved"
        ),
        "StepDiff without QA filtering": _on(base, directory, UNFILTERED, "without_filter"),
        STAND_IN: _on(small, directory, FILTERED, "small"),
    }


def rows(quickstart: Path, directory: Path, split: str) -> dict[str, Row]:
    """Name -> row."""
    found = {}
    for name, experiment in experiments(quickstart, directory).items():
        small = name == STAND_IN
        flags = (
            *("--system", "stepdiff", "--run", experiment.loop.run_directory),
            *("--data.directory", str(quickstart / "data"), "--split", split),
        )
        found[name] = Row(
            name,
            "kitchen@small" if small else "kitchen",
            flags,
            paper=TABLE_2[SMALLER if small else name],
            stands_in="the kitchen's smaller language model; the paper has 13B" if small else "",
        )
    return found


def _on(experiment: Experiment, directory: Path, questions: str, run: str) -> Experiment:
    """With other questions, and a run directory of its own."""
    data = replace(experiment.data, directory=str(directory / questions / "data"))
    loop = replace(experiment.loop, run_directory=str(directory / "runs" / run))
    return replace(experiment, name=f"table2-{run}", data=data, loop=loop)


def _write_data(quickstart: Path, directory: Path) -> None:
    """`records` and `data` of the filtered questions and of all of them."""
    from data_prep.kitchen.noisy_questions import thresholds, write_noisy_questions
    from data_prep.records.pack import pack
    from data_prep.schema.clips import CLIPS_FILE, FRAMES_FILE
    from data_prep.schema.records import SEQUENCES_FILE
    from data_prep.schema.text import FILTERED_FILE, PAIRS_FILE
    from data_prep.stage.shards import Shard
    from data_prep.text.filter.stage import write_filtered

    for name in (FILTERED, UNFILTERED):
        records, data = directory / name / "records", directory / name / "data"
        records.mkdir(parents=True, exist_ok=True)
        for file in (CLIPS_FILE, FRAMES_FILE, SEQUENCES_FILE):
            shutil.copyfile(quickstart / "records" / file, records / file)
        _link(quickstart / "records/frames", records / "frames")
        questions = records / PAIRS_FILE
        write_noisy_questions(
            quickstart / "world/truth.jsonl", questions, partners=PARTNERS, seed=SEED
        )
        if name == FILTERED:
            write_filtered(
                questions, records / FILTERED_FILE, shard=Shard(), thresholds=thresholds()
            )
        pack(records, data)
        _link(quickstart / "data" / FEATURES_DIRECTORY, data / FEATURES_DIRECTORY)


def _link(there: Path, here: Path) -> None:
    here.unlink(missing_ok=True)
    here.symlink_to(there.resolve())
