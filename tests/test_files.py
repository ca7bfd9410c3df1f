"""Files that appear whole or not at all, through exceptions, kills and two writers at once."""

import signal
import subprocess
import sys
import time

import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.files import new_directory, remove_unfinished, replacing, write_json, write_text


def test_what_was_there_stays_until_all_is_written(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "öld")
    with pytest.raises(RuntimeError), replacing(path) as unfinished:
        unfinished.write_text("half")
        assert path.read_text(encoding="utf-8") == "öld"
        raise RuntimeError
    assert [one.name for one in path.parent.iterdir()] == ["file.txt"]
    write_json(path, {"a": 1}, indent=1)
    assert path.read_text() == '{\n "a": 1\n}\n'


def test_a_killed_writer_leaves_the_old_file_and_what_can_be_removed(tmp_path):
    path = tmp_path / "file [1].txt"
    write_text(path, "old")
    program = (
        "import sys, time; from pathlib import Path; from stepdiff_jax.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as unfinished:\n"
        "    unfinished.write_text('half'); print(flush=True); time.sleep(60)"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / ".file 1.txt.x.tmp").touch()  # of another file, were "[1]" a pattern
    remove_unfinished(path)
    assert {one.name for one in tmp_path.iterdir()} == {path.name, ".file 1.txt.x.tmp"}


def test_writers_of_one_name_overwrite_what_a_killed_one_left_others_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # closed last
    with replacing(path, writer="me") as first:
        pass_name = first.name
        first.touch()
    with replacing(path, writer="me") as second:
        assert second.name == pass_name
        second.touch()


@pytest.mark.parametrize("name", ["n" * 255, "ß" * 127, "a b@c%d:[e]*?"])
def test_any_name_that_a_file_may_have(tmp_path, name):
    write_text(tmp_path / name, "text")
    assert [one.name for one in tmp_path.iterdir()] == [name]
    with new_directory(tmp_path / f"{name[:-1]}2") as directory:
        (directory / "file").touch()
    assert (tmp_path / f"{name[:-1]}2" / "file").exists()


def test_a_directory_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "made"
    with pytest.raises(RuntimeError), new_directory(path) as unfinished:
        (unfinished / "file").touch()
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with new_directory(path) as unfinished:
        (unfinished / "file").touch()
        assert not path.exists()
    with pytest.raises(InputError, match="exists already"), new_directory(path):
        time.sleep(60)
