"""Reads CaptainCook4D: recipes performed with and without errors (MIT license; as released).

The directory has `error_annotations.json` (every recording's steps with times and errors)
and `recordings_data_split_combined.json` (split -> recordings).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import msgspec

from data_prep.json_files import fail
from data_prep.schema.clips import is_split
from data_prep.schema.line import Finite, Row, check_fields
from data_prep.sources.base import Annotated, Segment, StepError
from data_prep.stage import Rejected
from stepdiff_jax.data.video_names import video_files
from stepdiff_jax.errors import InputError
from stepdiff_jax.json_files import read_list, read_object
from stepdiff_jax.jsonl import shorten

ANNOTATIONS_FILE = "error_annotations.json"
SPLITS_FILE = "recordings_data_split_combined.json"

MISSING_TIME = -1
"""Start and end time of a step that was omitted."""

MILLISECONDS = 3
"""Decimal places that times are rounded to, as the file has 92.60499999999999 (ours)."""

CATEGORIES = {
    "Measurement Error": ("Ingredients",),
    "Preparation Error": ("Ingredients", "Tools/Equipment"),
    "Technique Error": ("Technique",),
    "Temperature Error": ("Technique",),
    "Timing Error": ("Actions",),
}
"""Tag -> the paper's categories that it may belong to (ours). A preparation error is a wrong
ingredient or a wrong tool; the latter if its text names a tool. "Order Error", "Missing Step" and
"Other" have none: a clip does not show the order, and a missing step has no clip."""

_TOOLS = """
blender board bowl brush burner cloth container cup dish filter finger floss fork glass glove
grater hand instrument jar jug kettle knife ladle lid microwave mixer mug oven pan peeler pin
pitcher plate platter pot ramekin scale scissor scissors sieve skillet spatula spoon stove
strainer tablespoon teaspoon thermometer tongs toothpick towel tray tsp tbsp utensil whisk
whisker
"""
TOOLS = frozenset(_TOOLS.split())
"""Words that name a tool (ours); plurals match too."""

_VERB = re.compile(r"\s*([A-Za-z]+)\s*-\s*(?=\S)")


class ErrorNote(msgspec.Struct, frozen=True):
    """An error in a step."""

    tag: str
    description: str


class StepAnnotation(msgspec.Struct, frozen=True):
    """A step of a recording, with times in seconds; without errors, it was done correctly."""

    description: str
    step_id: int
    start_time: Finite
    end_time: Finite
    errors: list[ErrorNote] = []


class Recording(msgspec.Struct, frozen=True):
    """A recording of one recipe ("activity")."""

    recording_id: str
    activity_id: int
    step_annotations: list[Row]


class CaptainCook4D:
    """Every step instance of the recordings; a `Source` without narration."""

    settings = {"milliseconds": MILLISECONDS}  # noqa: RUF012

    def __init__(self, directory: Path):
        """
        Raises:
            InputError: a file is missing or malformed (names the recording and the field), or a
                recording is duplicated or in two splits.
        """
        self._path = directory / ANNOTATIONS_FILE
        self._recordings = _read_recordings(self._path)
        self._splits = _read_splits(directory / SPLITS_FILE)
        self.files = [self._path, directory / SPLITS_FILE]
        self._steps = {one.recording_id: _read_steps(self._path, one) for one in self._recordings}

    def annotations(self) -> Iterator[Annotated]:
        """The annotations, recording by recording in file order."""
        for recording in self._recordings:
            video = recording.recording_id
            files = (*video_files(video), *video_files(f"{video}_360p"))
            pairs = zip(recording.step_annotations, self._steps[video], strict=True)
            for index, (fields, step) in enumerate(pairs):
                row = {"video": video, "place": index, "activity": recording.activity_id, **fields}
                yield Annotated(row, files, self._segment(recording, step))

    def _segment(self, recording: Recording, step: StepAnnotation) -> Segment | Rejected:
        span = [step.start_time, step.end_time]
        if span == [MISSING_TIME, MISSING_TIME]:
            return Rejected("step is missing", "; ".join(note.description for note in step.errors))
        start, end = (_number(round(time, MILLISECONDS)) for time in span)
        if not 0 <= start < end:
            return Rejected("segment does not end after it starts", shorten(span))
        if recording.recording_id not in self._splits:
            return Rejected("video of no split", recording.recording_id)
        keystep = plain_words(step.description)
        return Segment(
            video=recording.recording_id,
            start=start,
            end=end,
            keystep=keystep,
            # A few steps have another step's number, so the text must match too.
            step=(recording.activity_id, step.step_id, keystep.casefold()),
            activity=f"recipe {recording.activity_id}",
            split=self._splits[recording.recording_id],
            errors=tuple(
                StepError(
                    note.tag,
                    category_of(note.tag, note.description),
                    plain_words(note.description),
                )
                for note in step.errors
            ),
        )


def category_of(tag: str, text: str) -> str | None:
    """The category of an error with this tag and text; None if none fits."""
    categories = CATEGORIES.get(tag, ())
    if len(categories) < 2:
        return categories[0] if categories else None
    ingredients, tools = categories
    words = set(re.findall(r"[a-z]+", text.lower()))
    words |= {word.removesuffix("s") for word in words}
    return tools if words & TOOLS else ingredients


def plain_words(text: str) -> str:
    """A step or note without its leading verb: "Pour-Pour 1 egg" becomes "Pour 1 egg".

    A verb that is not repeated is kept: "add-1/4 tsp pepper" becomes "add 1/4 tsp pepper".
    """
    text = " ".join(text.split())
    verb = _VERB.match(text)
    if not verb:
        return text
    remainder = text[verb.end() :]
    repeated = re.search(rf"\b{verb[1]}\b", remainder, re.IGNORECASE)
    return remainder if repeated else f"{verb[1]} {remainder}"


def _number(seconds: float) -> float | int:
    """Whole seconds as integers, as in clip ids."""
    return int(seconds) if seconds == int(seconds) else seconds


def _read_recordings(path: Path) -> list[Recording]:
    recordings: dict[str, Recording] = {}
    for number, fields in enumerate(read_list(path), start=1):
        name = fields.get("recording_id") if isinstance(fields, dict) else None
        if not isinstance(name, str):
            raise InputError(
                f"{path}, recording {number}: field 'recording_id' must be a string, got "
                f"{shorten(name)}"
            )
        found = check_fields(fields, Recording, lambda *wrong, name=name: fail(path, name, *wrong))
        if name in recordings:
            fail(path, name, "recording_id", "appears twice", name)
        recordings[name] = found
    return list(recordings.values())


def _read_steps(path: Path, recording: Recording) -> list[StepAnnotation]:
    def wrong(field: str, problem: str, value: object) -> NoReturn:
        fail(path, recording.recording_id, field, problem, value)

    return [check_fields(fields, StepAnnotation, wrong) for fields in recording.step_annotations]


def _read_splits(path: Path) -> dict[str, str]:
    """Recording -> split."""
    splits: dict[str, str] = {}
    for split, recordings in read_object(path).items():
        if not is_split(split):
            raise InputError(f"{path}: split {split!r} must be a word, and not 'all'")
        if not isinstance(recordings, list):
            raise InputError(f"{path}: field {split!r} must be a list of recordings")
        for name in recordings:
            if not isinstance(name, str):
                raise InputError(
                    f"{path}: field {split!r} must hold strings only, got {shorten(name)}"
                )
            if name in splits:
                fail(path, name, "split", f"is {splits[name]!r} already", split)
            splits[name] = split
    return splits
