"""The answers about groups of videos as one static HTML page."""

from collections.abc import Mapping, Sequence

from launch.ask.answers import Asked
from stepdiff_jax.data.video import encode_jpeg
from stepdiff_jax.data.video_span import parse_video
from stepdiff_jax.report.page import Html, element, join, jpeg, page

SHORT_SIDE = 128
"""Pixels; eight frames fit side by side."""


def answers_page(asked: Sequence[Asked], questions: Mapping[str, str], frames: int) -> str:
    """A card for each group: its videos' frames with their times, and all answers.

    Args:
        frames: of each video, as many as the model sees.
    Raises:
        InputError: a video cannot be read.
    """
    explained = [
        part
        for name, question in questions.items()
        if name != question
        for part in (element("dt", name), element("dd", question))
    ]
    return page(
        "Answers about videos",
        element("h1", "Answers about videos"),
        element("p", f"Groups of videos: {len(asked)}. Shown are the frames that the model sees."),
        *((element("h2", "Questions"), element("dl", *explained)) if explained else ()),
        element("h2", "Answers"),
        *(_card(one, frames) for one in asked),
    )


def _card(one: Asked, frames: int) -> Html:
    figures = [_figure(number, video, frames) for number, video in enumerate(one.videos, start=1)]
    entries: list[str] = []
    for name, answer in one.answers.items():
        entries += [element("dt", name), element("dd", answer or "(empty)")]
    return element("article", *figures, element("dl", *entries), class_="card")


def _figure(number: int, video: str, frames: int) -> Html:
    sampled = parse_video(video).sample(frames)
    images = [
        jpeg(data, f"video {number} at {time:.1f} s")
        for data, time in zip(encode_jpeg(sampled.frames, SHORT_SIDE), sampled.times)
    ]
    span = f"{sampled.times[0]:.1f} to {sampled.times[-1]:.1f} s"
    caption = join(element("b", f"video {number}"), f" · {video} · {span}")
    return element(
        "figure", element("figcaption", caption), element("div", *images, class_="frames")
    )
