"""Pairs with their frames, the true differences and every system's answer (Figs. 4 to 6)."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from launch.tables.rows import Measured, measured_only
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import DiffCap
from stepdiff_jax.evaluation.system import ClipSource
from stepdiff_jax.jsonl import whole_lines
from stepdiff_jax.report.page import Html, element, join, jpeg

COUNT, SEED = 6, 0
"""How many pairs, and the seed of choosing them, which knows no answers."""

SIDE = 160
"""Pixels of the longer side of a frame on the page."""


@dataclass(frozen=True)
class SamplePair:
    """A DiffCap instance, JPEG frames of its clips by role, and system -> answer.

    problem: why there are no frames.
    """

    instance: DiffCap
    frames: Mapping[str, Sequence[bytes]]
    answers: Mapping[str, str]
    problem: str = ""


def choose_pairs(instances: Sequence[DiffCap], count: int = COUNT) -> list[int]:
    """Numbers of `count` instances, of different categories as long as there are any."""
    order = np.random.default_rng(SEED).permutation(len(instances)).tolist()
    by_category: dict[str, list[int]] = {}
    for number in order:
        by_category.setdefault(instances[number].category, []).append(number)
    turns = max(map(len, by_category.values()), default=0)
    rounds = [one[turn] for turn in range(turns) for one in by_category.values() if turn < len(one)]
    return rounds[:count]


OpenClips = Callable[[Sequence[str]], ClipSource]
"""Finds the frames of some clips; it, or what it returns, raises InputError if they are missing."""


def sample_pairs(
    rows: Sequence[Measured], instances: Sequence[DiffCap], open_clips: OpenClips
) -> list[SamplePair]:
    """The chosen pairs that at least one system has described."""
    answers: dict[str, dict[int, str]] = {}
    for one in measured_only(rows):
        assert one.predictions is not None
        lines = whole_lines(one.predictions / "samples_diffcap.jsonl")
        answers[one.row.name] = {line.fields["id"]: line.fields["generated_text"] for line in lines}
    found = []
    for number in choose_pairs(instances):
        said = {name: texts[number] for name, texts in answers.items() if number in texts}
        if not said:
            continue
        pair = instances[number]
        try:
            clips = open_clips((pair.reference, pair.candidate))
            frames = {
                role: [_encoded(frame) for frame in clips.frames(clip)]
                for role, clip in (("reference", pair.reference), ("candidate", pair.candidate))
            }
            found.append(SamplePair(pair, frames, said))
        except InputError as error:
            found.append(SamplePair(pair, {}, said, str(error)))
    return found


def sample_html(sample: SamplePair) -> Html:
    """A card."""
    one = sample.instance
    entries = [element("dt", "people"), element("dd", *(element("div", text) for text in one.text))]
    for name, text in sample.answers.items():
        entries += [element("dt", name), element("dd", text)]
    figures = [
        element(
            "figure",
            element("figcaption", join(element("b", role), f" · {getattr(one, role)}")),
            element(
                "div",
                *(
                    jpeg(data, f"{role}, frame {number} of {len(frames)}")
                    for number, data in enumerate(frames, start=1)
                ),
                class_="frames",
            ),
        )
        for role, frames in sample.frames.items()
    ]
    if sample.problem:
        figures = [element("p", f"{one.reference}, {one.candidate}: {sample.problem}")]
    return element(
        "article", element("h3", one.category), *figures, element("dl", *entries), class_="card"
    )


def _encoded(frame: np.ndarray) -> bytes:
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
