"""One tiny experiment for all tests of training."""

import pytest

from stepdiff_jax.config import Experiment
from tiny_experiment import write_tiny_experiment


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """In a directory with what Orbax, TFDS and others take for patterns, spans and fields."""
    root = tmp_path_factory.mktemp("tiny") / "me@lab [1]*? 50% {x}: é"
    root.mkdir()
    return write_tiny_experiment(root)
