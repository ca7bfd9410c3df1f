"""Packing by Apache Beam (make beam): the same bytes as without it, and the same errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.records.pack import pack
from record_sources import write_source
from stepdiff_jax.data.records import dataset_path, open_records
from stepdiff_jax.errors import InputError

pytest.importorskip("apache_beam", reason="needs the beam extra (make beam)")

from data_prep.records.pack_beam import pack_with_beam

ROOT = Path(__file__).parents[2]
MULTIPLE = ("direct_num_workers=2", "direct_running_mode=multi_processing")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "source")


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("options", [(), MULTIPLE])
def test_beam_packs_the_same_bytes(source, tmp_path, options):
    counts = pack(source, tmp_path / "one", shard_records=5)
    assert (
        pack_with_beam(source, tmp_path / "beam", "DirectRunner", options, shard_records=5)
        == counts
    )
    assert contents(tmp_path / "beam") == contents(tmp_path / "one")
    # More than ten, which a sort by name would put in another order.
    assert len(list(dataset_path(tmp_path / "beam", "pairs").glob("*train*"))) == 27


def test_damaged_frames_are_named_and_a_second_run_ends_the_same(source, tmp_path):
    frames = source / "frames/train-2/train-2_0_1.5.tar"
    whole = frames.read_bytes()
    frames.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"^[^\n]*train-2_0_1\.5\.tar: does not match its SHA-256"):
        pack_with_beam(source, tmp_path / "beam", "DirectRunner", shard_records=5)
    with pytest.raises(InputError, match="no dataset here"):
        open_records(tmp_path / "beam", "clips", "train")
    frames.write_bytes(whole)
    left = dataset_path(tmp_path / "beam", "clips").with_name("incomplete.ABCDEF_1.0.0")
    left.mkdir(parents=True)
    (left / "half.array_record").touch()
    pack_with_beam(source, tmp_path / "beam", "DirectRunner", shard_records=5)
    pack(source, tmp_path / "one", shard_records=5)
    assert contents(tmp_path / "beam") == contents(tmp_path / "one")


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        ("NoRunner", (), "--beam-runner NoRunner: Unexpected pipeline runner"),
        ("DirectRunner", ("fast",), "--beam-options must be NAME=VALUE, got 'fast'"),
    ],
)
def test_a_wrong_runner_or_option_is_named(source, tmp_path, runner, options, message):
    with pytest.raises(InputError, match=message):
        pack_with_beam(source, tmp_path / "beam", runner, options)
    assert not (tmp_path / "beam").exists()


def test_tensorflow_is_never_imported_and_beam_only_when_asked_for(source, tmp_path):
    program = f"""
import sys
import data_prep.records.pack
assert "apache_beam" not in sys.modules
from launch.cli import main
sys.argv = ["stepdiff", "prep", "pack", "--source", {str(source)!r}, "--destination",
            {str(tmp_path / "beam")!r}, "--beam-runner", "DirectRunner"]
main()
assert "apache_beam" in sys.modules and "tensorflow" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "138 pairs" in done.stdout
