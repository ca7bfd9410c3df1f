"""One packed dataset for the tests of reading, batching and features; nobody may change it."""

from pathlib import Path

import pytest

from data_prep.records.pack import pack
from record_sources import write_source


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("record-source") / "source")


@pytest.fixture(scope="session")
def packed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("packed")
    pack(source, destination)
    return destination
