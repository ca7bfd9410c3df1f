"""A small made-up directory in CaptainCook4D's format, with its traps."""

import json
from pathlib import Path
from typing import Any


def step(number: int, start: float, end: float, text: str, *errors: tuple[str, str]) -> dict:
    """A step instance; `errors` are tags and texts."""
    fields: dict[str, Any] = {
        "description": text,
        "step_id": number,
        "start_time": start,
        "end_time": end,
    }
    if errors:
        fields["errors"] = [{"tag": tag, "description": text} for tag, text in errors]
        fields["modified_description"] = text
    return fields


def recording(name: str, *steps: dict) -> dict:
    return {
        "recording_id": name,
        "activity_id": int(name.split("_")[0]),
        "is_error": any("errors" in one for one in steps),
        "step_annotations": list(steps),
    }


CUT, POUR = "Cut -Cut the muffin with a knife", "add-1/4 tsp pepper to the cup"
ANNOTATIONS = [
    recording("1_1", step(3, 7.072, 17, CUT), step(1, 92.60499999999999, 99.5, POUR)),
    recording("1_2", step(3, 0.5, 9.25, CUT), step(1, 20, 30, POUR)),
    recording(
        "1_10",
        # two categories, one of them twice, and a tag that fits none
        step(
            3,
            1.0,
            11.0,
            CUT,
            ("Preparation Error", "fork instead of a knife"),
            ("Preparation Error", "cut-cut a bagel"),
            ("Preparation Error", "cut a soiled muffin"),
            ("Order Error", "Step performed after pouring"),
        ),
        step(1, -1.0, -1.0, POUR, ("Missing Step", "Skipped this step")),
        step(4, 40.0, 50.0, "Stir-Stir", ("Technique Error", "spill some")),  # nobody did it right
        step(1, 60.0, 61.5, POUR, ("Timing Error", "too quick")),  # too short
    ),
    recording("1_11", step(3, 5, 15, CUT, ("Order Error", "too late"))),
    # another split, and none
    recording("1_20", step(3, 5, 15, CUT, ("Technique Error", "cut into pieces"))),
    recording("1_30", step(3, 5, 15, CUT, ("Technique Error", "cut into pieces"))),
    # the words of another step under the number of this one
    recording("1_12", step(3, 5, 15, POUR, ("Measurement Error", "1/2 tsp instead"))),
    # the same words in another recipe
    recording("2_1", step(30, 5, 15, CUT), step(31, 20, 10, POUR)),
]
SPLITS = {
    "train": ["1_1", "1_2", "1_10", "1_11", "1_12", "2_1"],
    "val": [],
    "test": ["1_20"],
}


def write_captaincook4d(
    directory: Path, annotations: Any = ANNOTATIONS, splits: Any = SPLITS
) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "error_annotations.json").write_text(json.dumps(annotations))
    path = directory / "recordings_data_split_combined.json"
    path.write_text(json.dumps(splits))
    return directory
