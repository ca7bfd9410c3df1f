"""CVBench: questions over two to four videos (Zhu et al. 2025, arXiv 2508.19542; as released).

The directory has `CVBench.json`; clips are the videos' paths below the folder of the videos.
"""

from pathlib import Path

from stepdiff_jax.evaluation.choice_benchmarks.items import JsonItem, read_items
from stepdiff_jax.evaluation.choice_benchmarks.lettered import read_options
from stepdiff_jax.evaluation.system import ChoiceQuestion

FILE = "CVBench.json"
VIDEOS = ("video_1", "video_2", "video_3", "video_4")


def read(directory: Path) -> list[ChoiceQuestion]:
    """The questions, by `task_type`; raises InputError naming the question and the field."""
    return [_question(item) for item in read_items(directory / FILE)]


def _question(item: JsonItem) -> ChoiceQuestion:
    options = read_options(item)
    return ChoiceQuestion(
        _videos(item),
        item.text("task_type"),
        item.text("question"),
        options.texts,
        options.answer,
    )


def _videos(item: JsonItem) -> tuple[str, ...]:
    given = [field for field in VIDEOS if item.get(field) is not None]
    if len(given) < 2 or given != list(VIDEOS[: len(given)]):
        item.fail("video_2", "must be one of two to four videos without a gap", given)
    return tuple(item.text(field) for field in given)
