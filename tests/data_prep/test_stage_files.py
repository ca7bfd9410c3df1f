"""One rule for where a stage of `stepdiff prep` lives."""

from pathlib import Path

import pytest

import data_prep
from data_prep.cli.prep import STAGES

ROOT = Path(data_prep.__file__).parent


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_a_file_of_its_name_or_a_folder_with_a_stage_in_it(name):
    file = name.replace("-", "_")
    places = [
        path
        for path in ROOT.rglob(f"{file}.py")
        if path.relative_to(ROOT).parts[0] not in ("cli", "schema")
    ]
    places += ROOT.rglob(f"{file}/stage.py")
    assert len(places) == 1, places
