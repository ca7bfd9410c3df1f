"""Every experiment in configs/, field by field, as golden/ has it.

`python tests/configs/test_golden_configs.py` writes golden/ anew; read the difference before
committing it.
"""

import sys
from pathlib import Path

import pytest

import data_prep
from stepdiff_jax.config_files import config_names, flatten, load_experiment, to_dict

GOLDEN = Path(__file__).parent / "golden"
INSTALLED = str(Path(data_prep.__file__).parents[1])


def printed(name: str) -> str:
    fields = flatten(to_dict(load_experiment(name)))
    lines = (f"{field} = {value!r}\n" for field, value in fields.items())
    return "".join(lines).replace(f"{INSTALLED}/", "")


@pytest.mark.parametrize("name", config_names())
def test_config_is_its_golden(name):
    assert printed(name) == (GOLDEN / f"{name}.txt").read_text()


def test_no_golden_without_config():
    assert sorted(path.stem for path in GOLDEN.iterdir()) == config_names()


if __name__ == "__main__":
    for name in config_names():
        (GOLDEN / f"{name}.txt").write_text(printed(name))
    sys.exit()
