"""One tiny experiment for all tests of training."""

import pytest

from stepdiff_jax.config import Experiment
from tiny_experiment import write_tiny_experiment


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    return write_tiny_experiment(tmp_path_factory.mktemp("tiny"))
