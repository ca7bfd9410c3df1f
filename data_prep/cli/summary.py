"""What a command prints of its stage."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def print_summary(destination: Path, summary: Mapping[str, Any]) -> None:
    """One line of what a stage took, left and dropped."""
    from data_prep.schema.stages import Summary

    print(f"{destination}: {json.dumps(Summary.of(dict(summary)).printed())}")
