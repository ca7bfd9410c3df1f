"""The lines of the files between stages: names of files and what their fields must hold."""

import math
import re

from stepdiff_jax.jsonl import JsonLine

CLIPS_FILE = "clips.jsonl"
FILTERED_FILE = "filtered.jsonl"
SPLIT_NAME = re.compile(r"[A-Za-z]\w*")


def finite_number(line: JsonLine, field: str, value: object) -> float:
    """`value`, found in `field` of a line, as a float; InputError where it is no finite number."""
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        line.fail(field, "must be a finite number", value)
    return float(value)  # type: ignore[arg-type]
