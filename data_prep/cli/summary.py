"""Prints the summary of a stage."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def print_summary(destination: Path, summary: Mapping[str, Any], *read: Path | None) -> None:
    """Print one line with what a stage read, wrote and dropped, and one with the files it `read`.

    Files that are None are left out.
    """
    from data_prep.schema.stages import Summary

    print(f"{destination}: {json.dumps(Summary.of(dict(summary)).printed())}")
    names = ", ".join(str(path) for path in read if path is not None)
    if names:
        print(f"  read {names}")
