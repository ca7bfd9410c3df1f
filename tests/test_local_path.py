"""Names of directories mean what they say, to Orbax and to TFDS."""

import os
from pathlib import Path

import pytest
from etils import epath
from hypothesis import given
from hypothesis import strategies as st

from stepdiff_jax.errors import InputError
from stepdiff_jax.local_path import LocalPath, local_path

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\\"), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and not name.endswith("gs:"))


@given(name=NAMES)
def test_a_pattern_finds_the_files_of_this_directory_only(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("names")
    directory, other = root / name, root / "a*"
    for one in (directory, other):
        one.mkdir(exist_ok=True)
        (one / "process_0").touch()
    path = epath.Path(local_path(directory))
    assert [Path(found) for found in path.glob("process_*")] == [directory / "process_0"]
    assert [type(found) for found in path.glob("*")] == [LocalPath]
    assert type(path.parent / "x") is LocalPath


@pytest.mark.parametrize("name", ["/gs/bucket/run", "/s3/bucket/run"])
def test_a_mounted_bucket_is_a_local_directory(name):
    path = local_path(Path(name))
    assert os.fspath(path) == str(path) == name


def test_a_link_keeps_its_own_name(tmp_path):
    (tmp_path / "0f3c").touch()
    (tmp_path / "a.safetensors").symlink_to("0f3c")
    assert local_path(tmp_path / "a.safetensors").suffix == ".safetensors"


@pytest.mark.parametrize("name", ["back\\slash", "logs:", os.fsdecode(b"caf\xe9")])
def test_what_cannot_be_stored_is_refused_in_one_line(name, tmp_path):
    with pytest.raises(InputError, match="rename it") as error:
        local_path(tmp_path / name / "run")
    assert "\n" not in str(error.value)
