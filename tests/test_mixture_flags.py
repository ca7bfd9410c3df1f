"""`--data.mixture.NAME WEIGHT` changes the mixture by the names of its sources."""

import pytest

from stepdiff_jax.arguments import load_config, with_mixture
from stepdiff_jax.config import Experiment, Source
from stepdiff_jax.config_files import load_experiment
from stepdiff_jax.errors import InputError


def mixture(*flags: str) -> dict[str, float]:
    experiment, _, rest = load_config("stepdiff train", ["kitchen", *flags])
    assert not rest
    return {source.name: source.weight for source in experiment.data.mixture}


def test_a_source_is_dropped_changed_or_added():
    assert mixture() == {"pairs": 3.0, "sequences": 1.0}
    assert mixture("--data.mixture.sequences", "0") == {"pairs": 3.0, "sequences": 0.0}
    added = mixture("--data.mixture.single=0.5", "--data.mixture.pairs", "2")
    assert added == {"pairs": 2.0, "sequences": 1.0, "single": 0.5}


def test_a_dropped_source_is_not_read():
    experiment, _ = with_mixture(load_experiment("kitchen"), ["--data.mixture.pairs", "0"])
    assert experiment.data.sources == (Source("sequences", 1.0),)


def test_other_flags_pass():
    words = ["--data.mixture.1.weight", "0", "--data.mixture.sequences", "2", "--name", "x"]
    _, rest = with_mixture(Experiment("x"), words)
    assert rest == ["--data.mixture.1.weight", "0", "--name", "x"]


@pytest.mark.parametrize("words", [["--data.mixture.pairs"], ["--data.mixture.pairs", "many"]])
def test_a_weight_is_a_number(words):
    with pytest.raises(InputError, match=r"^--data\.mixture\.pairs must be a number, got '"):
        with_mixture(Experiment("x"), words)
