"""Addresses of cloud stores: every command refuses them in one line, for every option."""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_prep.cli.bench import BENCHES
from data_prep.cli.prep import STAGES
from launch.cli import COMMANDS, main
from launch.convert import CONVERSIONS
from stepdiff_jax.config import Experiment, WeightsConfig
from stepdiff_jax.config_files import from_dict, load_experiment, to_dict
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.api import StepDiff

GROUPS = {"prep": STAGES, "convert": CONVERSIONS, "bench": BENCHES}
WITH_CONFIG = (["train"], ["evaluate"], ["aot"], ["weights"], ["prep", "features"])
WITHOUT_FLAGS = ("bench", "validate")
"""Commands whose paths, if any, are not flags."""
FLAG = re.compile(r"(--[a-z][a-z0-9.-]*)(?: \S+)? (?:PATH|STR)\b")


def commands() -> Iterator[list[str]]:
    for name in COMMANDS:
        for words in [[name, stage] for stage in GROUPS[name]] if name in GROUPS else [[name]]:
            yield [*words, "stepdiff_7b"] if words in WITH_CONFIG else words


def path_flags(command: list[str]) -> list[str]:
    """The options of a command whose values are paths or texts, from its own help."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        main([*command, "--help"])
    return FLAG.findall(re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()))


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_no_option_takes_an_address(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = path_flags(command)
    assert flags or not set(command).isdisjoint(WITHOUT_FLAGS)
    for flag in flags:
        for words in ([flag, "gs://bucket/x"], [f"{flag}=s3://bucket/x"]):
            assert main([*command, *words]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            address = words[-1].rpartition("=")[2]
            assert f"{flag}: {address} is an address, and only local paths" in line
    assert main([*command, "gs://bucket/x"]) == 2
    assert "gs://bucket/x is an address" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["https://host/x", "file:///x", "HDFS://host/x"])
def test_a_path_is_no_address_of_another_kind_either(address, capsys):
    words = ["--clips", address, "--destination", "/nowhere/x"]
    assert main(["prep", "frames", *words]) == 2
    assert "is an address, and only local paths" in capsys.readouterr().err


def test_configs_and_the_class_refuse_them_too(tmp_path):
    experiment = Experiment("x", weights=WeightsConfig(llama="s3://bucket/llama"))
    with pytest.raises(InputError, match=r"weights\.llama: s3://bucket/llama is an address"):
        from_dict(to_dict(experiment), "config.json")
    config = tmp_path / "mine.py"
    config.write_text(
        "from stepdiff_jax.config import DataConfig, Experiment\n"
        "def experiment():\n    return Experiment('x', data=DataConfig('gs://bucket/data'))\n"
    )
    with pytest.raises(InputError, match=r"data\.directory: gs://bucket/data is an address"):
        load_experiment(str(config))
    with pytest.raises(InputError, match="gs://bucket/run is an address"):
        StepDiff.load("gs://bucket/run")


@pytest.mark.parametrize("name", ["a:b", "gs", "c:", "x=gs:", "http:"])
def test_names_with_colons_are_paths(name, tmp_path, capsys):
    assert main(["prep", "frames", "--clips", str(tmp_path / name), "--destination", "x"]) == 2
    assert "is an address" not in capsys.readouterr().err


def test_options_of_other_programs_may_be_addresses(capsys):
    words = ["--beam-options", "temp_location=gs://bucket/tmp", "--source", str(Path("/nowhere"))]
    assert main(["prep", "pack", *words, "--destination", "/nowhere/x"]) == 2
    assert "is an address" not in capsys.readouterr().err
