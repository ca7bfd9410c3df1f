"""Prints the summary of a stage."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def print_summary(destination: Path, summary: Mapping[str, Any]) -> None:
    """Print one line with what a stage read, wrote and dropped."""
    from data_prep.schema.stages import Summary

    print(f"{destination}: {json.dumps(Summary.of(dict(summary)).printed())}")
