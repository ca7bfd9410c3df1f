"""`stepdiff ask`: questions about one video or several, or about many groups of videos."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from stepdiff_jax.arguments import parse_arguments
from stepdiff_jax.data.prompts import EXTENDED_QUESTIONS
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import require_writable_file

if TYPE_CHECKING:
    from launch.ask.answers import Asked


@dataclass(frozen=True)
class Ask:
    """Answer questions about one video or several.

    A video is a file, or part of one in seconds from its start: path@start-end. The end may be at
    most a second after the video's. Without --question and --prompts, the questions beyond the
    benchmark's are asked (section 4.4): why, how different, which mistake, what next.
    """

    videos: Annotated[Positional[tuple[str, ...]], arg(metavar="VIDEO...")]
    model: Path
    """A run directory with trained weights."""
    question: Annotated[tuple[str, ...], UseAppendAction] = ()
    """A question; give the option again for each further one."""
    prompts: Path | None = None
    """TOML file of questions by name: lines of name = "question"."""
    pairs: Path | None = None
    """Instead of VIDEO...: a .csv file with the columns reference and candidate, or JSON Lines with
    these fields, or with videos, a list."""
    answers: Path | None = None
    """JSON Lines file to add the answers to; what it has is not asked again. Needed by --pairs."""
    page: Path | None = None
    """HTML file to write, with the videos' frames and the answers."""
    json: bool = False
    """Print a JSON object for each group of videos."""
    new_tokens: int = 64
    """Most tokens of an answer."""
    allow_other_frozen_weights: bool = False
    """Accept a checkpoint trained with different frozen weights."""

    def __post_init__(self) -> None:
        if self.question and self.prompts is not None:
            raise InputError("--question and --prompts are mutually exclusive")
        if bool(self.videos) == (self.pairs is not None):
            raise InputError("give either VIDEO... or --pairs")
        if self.pairs is not None and self.answers is None:
            raise InputError("--pairs needs --answers, a file that keeps what is answered")
        if self.new_tokens < 1:
            raise InputError(f"--new-tokens must be at least 1, got {self.new_tokens}")


def ask(prog: str, arguments: Sequence[str]) -> None:
    """Answer questions about one video or several."""
    options = parse_arguments(Ask, arguments, prog=prog)
    from launch.ask.files import check_number, read_groups, read_questions
    from stepdiff_jax.config_files import read_experiment
    from stepdiff_jax.data.video_span import check_videos

    questions = {question: question for question in options.question}
    if options.prompts is not None:
        questions = read_questions(options.prompts)
    questions = questions or EXTENDED_QUESTIONS
    if options.pairs is not None:
        groups = read_groups(options.pairs)
    else:
        groups = [check_number("VIDEO...", options.videos)]
    for path in (options.answers, options.page):
        if path is not None:
            require_writable_file(path)
    read_experiment(options.model)
    check_videos([video for group in groups for video in group])  # loading may take minutes

    from launch.ask.answers import AnswerFile, Asked, ask_groups
    from launch.ask.page import answers_page
    from stepdiff_jax import StepDiff
    from stepdiff_jax.files import write_text

    model = StepDiff.load(
        options.model, allow_other_frozen_weights=options.allow_other_frozen_weights
    )
    if options.answers is not None:
        file = AnswerFile(options.answers, model.identity)
        found = ask_groups(model, groups, questions, file, new_tokens=options.new_tokens)
    else:
        texts = model.answers(groups, list(questions.values()), new_tokens=options.new_tokens)
        found = [
            Asked(group, dict(zip(questions, answers))) for group, answers in zip(groups, texts)
        ]
    if options.page is not None:
        write_text(options.page, answers_page(found, questions, model.encoder.frames))
    for one in found:
        _show(one, questions, options)


def _show(one: "Asked", questions: Mapping[str, str], options: Ask) -> None:
    if options.json:
        print(json.dumps({"videos": one.videos, "answers": dict(one.answers)}))
        return
    if options.pairs is not None:
        return
    for name, answer in one.answers.items():
        print(answer if len(questions) == 1 else f"{name}: {answer}")
