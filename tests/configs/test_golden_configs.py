"""Every experiment in configs/, field by field, as golden/ has it.

`python tests/configs/test_golden_configs.py` writes golden/ anew; read the difference before
committing it.
"""

import sys
from pathlib import Path

import pytest

import configs  # noqa: F401
import data_prep
from stepdiff_jax.config_files import (
    CONFIG_ALIASES,
    config_names,
    flatten,
    load_experiment,
    to_dict,
)
from stepdiff_jax.families.common.find import size_names

GOLDEN = Path(__file__).parent / "golden"
INSTALLED = str(Path(data_prep.__file__).parents[1])


def printed(name: str) -> str:
    fields = flatten(to_dict(load_experiment(name)))
    lines = (f"{field} = {value!r}\n" for field, value in fields.items())
    return "".join(lines).replace(f"{INSTALLED}/", "")


SIZED = ("interleaved", "stepdiff", "vclm")
SIZES = [name for name in size_names() if not name.startswith("llama2-")]
NAMES = [
    *("kitchen", *CONFIG_ALIASES),
    *(f"{name}@{size}" for name in SIZED for size in SIZES),
]


@pytest.mark.parametrize("name", NAMES)
def test_config_is_its_golden(name):
    assert printed(name) == (GOLDEN / f"{name}.txt").read_text()


def test_there_is_a_golden_of_every_config_and_size():
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(NAMES)
    assert {name.split("_")[0].split("@")[0] for name in NAMES} == set(config_names())


@pytest.mark.parametrize("name", CONFIG_ALIASES)
def test_a_short_name_is_a_size_of_llama_2(name):
    config, size = name.split("_")
    assert load_experiment(name) == load_experiment(f"{config}@llama2-{size}")
    assert load_experiment(f"{name}@v5e") == load_experiment(f"{config}@llama2-{size}@v5e")


if __name__ == "__main__":
    for name in NAMES:
        (GOLDEN / f"{name}.txt").write_text(printed(name))
    sys.exit()
