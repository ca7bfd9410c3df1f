"""`stepdiff evaluate --system NAME`: the baselines, on tiny data with the kitchen's weights."""

import json
from pathlib import Path

import numpy as np
import pytest

from launch.cli import main
from stepdiff_jax.jsonl import read_jsonl, write_jsonl
from stepdiff_jax.systems.options import SystemOptions
from stepdiff_jax.systems.registry import SYSTEMS, system_options
from tiny_experiment import write_tiny_experiment

CLIPS = [f"train{number}_0_1" for number in range(4)]
PAIRS = [[CLIPS[0], CLIPS[1]], [CLIPS[1], CLIPS[0]], [CLIPS[2], CLIPS[3]], [CLIPS[3], CLIPS[2]]]
TEXTS = ("chops a red onion", "chops a red onion", "stirs the soup", "peels carrots")
BENCHMARK = {
    "diffcap": {"reference": CLIPS[0], "candidate": CLIPS[2], "category": "Actions", "text": ["a"]},
    "diffmcq": {
        "difference": "the person stirs",
        "category": "Actions",
        "options": PAIRS,
        "answer": PAIRS[2],
    },
    "diffrank": {
        "reference": CLIPS[0],
        "targets": [CLIPS[1], CLIPS[2], CLIPS[3], CLIPS[0]],
        "category": "Actions",
        "scores": [1, 2, 3, 5],
    },
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds packed clips, a benchmark about them, and their descriptions."""
    root = tmp_path_factory.mktemp("systems")
    write_tiny_experiment(root)
    for task, line in BENCHMARK.items():
        write_jsonl(root / "benchmark" / f"{task}_dataset.jsonl", [line])
    write_jsonl(root / "descriptions.jsonl", described(CLIPS))
    return root


def described(clips: list[str]) -> list[dict]:
    return [{"clip": clip, "description": text} for clip, text in zip(clips, TEXTS)]


def evaluate(directory: Path, *flags: str) -> int:
    words = f"evaluate kitchen --benchmark {directory}/benchmark --data.directory {directory}/data"
    run = f"--split train --loop.run-directory {directory}/run"
    return main([*words.split(), *run.split(), *flags])


def scores(directory: Path, system: str, task: str) -> np.ndarray:
    path = directory / "run/systems" / system / "predictions/train" / f"{task}.jsonl"
    (line,) = read_jsonl(path)
    return np.array(line.fields["scores"])


def test_every_system_has_options_that_say_what_it_is():
    for name in SYSTEMS:
        options = system_options(name)
        assert issubclass(options, SystemOptions)
        assert options.__doc__ and options.__doc__ != SystemOptions.__doc__


@pytest.mark.parametrize(("beams", "kind"), [("1", "greedy"), ("3", "beam search")])
def test_answers_may_be_searched_with_beams(directory, beams, kind):
    words = ("--system", "blind", "--task", "diffcap", "--new-tokens", "6", "--beams", beams)
    assert evaluate(directory, *words) == 0
    path = directory / "run/systems/blind/predictions/train/samples_diffcap.json"
    settings = {"decoding": kind, "beams": int(beams), "length_penalty": 1.0, "new_tokens": 6}
    assert json.loads(path.read_text())["settings"] == settings
    (sample,) = read_jsonl(path.with_suffix(".jsonl"))
    assert sample.fields["tokens"] == 6


def test_beams_are_positive(directory, capsys):
    assert evaluate(directory, "--system", "blind", "--beams", "0") == 2
    assert "--beams must be at least 1, got 0" in capsys.readouterr().err


def test_vlembed_compares_features(directory, capsys):
    assert evaluate(directory, "--system", "vlembed") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert list(metrics) == ["diffmcq", "diffrank"]  # embeddings cannot write
    ranked, chosen = (scores(directory, "vlembed", task) for task in ("diffrank", "diffmcq"))
    assert ranked[3] == pytest.approx(1, abs=1e-5)  # the reference itself
    assert len(set(ranked.round(6))) == 4
    assert (abs(ranked) < 1 + 1e-5).all()
    # The mean of a pair's features does not know which is the reference.
    np.testing.assert_allclose(chosen[::2], chosen[1::2], atol=1e-6)
    assert chosen[0] != pytest.approx(chosen[2], abs=1e-6)


def test_socratic_reads_descriptions_and_no_video(directory, capsys):
    flags = ("--system", "socratic", "--descriptions", f"{directory}/descriptions.jsonl")
    # There is no split of this name: no clip is looked at.
    assert evaluate(directory, *flags, "--split", "none") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert list(metrics) == ["diffcap", "diffmcq", "diffrank"]
    results = json.loads((directory / "run/systems/socratic/results.json").read_text())
    assert results["tasks"] == metrics
    system = {"name": "socratic", "descriptions": f"{directory}/descriptions.jsonl"}
    assert results["system"].items() >= system.items()
    assert not (directory / "run/results.json").exists()  # the trained experiment's
    predictions = directory / "run/systems/socratic/predictions/none"
    (line,) = read_jsonl(predictions / "diffmcq.jsonl")
    chosen = line.fields["scores"]
    assert chosen[0] == chosen[1]  # clips that are described alike
    assert len(set(chosen)) == 3
    (line,) = read_jsonl(predictions / "diffcap.jsonl")
    assert line.fields["generated_text"]


def test_a_blind_model_cannot_tell_clips_from_each_other(directory, capsys):
    assert evaluate(directory, "--system", "blind", "--split", "none") == 0
    assert list(json.loads(capsys.readouterr().out)) == ["diffcap", "diffmcq", "diffrank"]
    for task in ("diffmcq", "diffrank"):
        path = directory / "run/systems/blind/predictions/none" / f"{task}.jsonl"
        (line,) = read_jsonl(path)
        assert np.ptp(line.fields["scores"]) < 1e-4


def test_clips_are_found_in_all_splits(directory, capsys):
    held_out = ["validation0_0_1", "validation1_0_1"]
    targets = [CLIPS[1], CLIPS[2], *held_out]
    write_jsonl(
        directory / "several/diffrank_dataset.jsonl",
        [{**BENCHMARK["diffrank"], "targets": targets}],
    )
    flags = ("--system", "vlembed", "--task", "diffrank", "--benchmark", f"{directory}/several")
    words = f"--data.directory {directory}/data --loop.run-directory {directory}/several/run"
    assert main(["evaluate", "kitchen", *flags, *words.split()]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["diffrank"]
    written = directory / "several/run/systems/vlembed"
    (line,) = read_jsonl(written / "predictions/all/diffrank.jsonl")
    assert len(line.fields["scores"]) == 4
    assert json.loads((written / "results.json").read_text())["split"] == "all"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--system CLIP", "--system: must be one of {systems}, got 'CLIP'"),
        ("--descriptions d.jsonl", "Unrecognized options: --descriptions"),
        ("--system=vlembed --descriptions d.jsonl", "Unrecognized options: --descriptions"),
        (
            "--system socratic",
            "--system socratic needs one of --descriptions, --captioner-run, --captioner: none is "
            "given",
        ),
        (
            "--system socratic --descriptions d.jsonl --captioner c",
            "--system socratic needs one of --descriptions, --captioner-run, --captioner: got "
            "--descriptions and --captioner",
        ),
        (
            "--system socratic --captioner-run r --revision 1",
            "--revision 1 is of --captioner, which is not given",
        ),
        ("--system vclm_llava", "Missing from stepdiff evaluate kitchen: --weights STR"),
        ("--system vclm --weights w", "Unrecognized options: --weights"),
        ("--system stepdiff --weights w", "Unrecognized options: --weights"),
        ("--system stepdiff", "{}/run/config.json: cannot be read: "),
        (
            "--system vclm_llava --weights a/b",
            "--weights a/b: a name on the hub needs --revision, a commit or a tag, got ''",
        ),
        (
            "--system multi_video --weights a/b --revision main",
            "--weights a/b: a name on the hub needs --revision, a commit or a tag, got 'main'",
        ),
        ("--system multi_video --weights ./a", "--weights ./a: no such directory"),
        ("--system multi_video --weights a --frames 0", "--frames must be positive, got 0"),
        ("--system vlembed_clip --clip {}", "{}/config.json: cannot be read"),
        ("--system vclm", "{}/run/config.json: cannot be read: "),
        ("--system socratic --descriptions nowhere", "nowhere: cannot be read: "),
        (
            "--system socratic --descriptions {}/three.jsonl",
            "{}/three.jsonl: 1 of the 4 clips that the benchmark asks about are missing: "
            "'train3_0_1'",
        ),
        (
            "--system socratic --descriptions {}/twice.jsonl",
            "{}/twice.jsonl, line 2: field 'clip' is repeated, got 'train0_0_1'",
        ),
        (
            "--system vlembed --split validation",
            "{}/data, split validation: 4 of the 4 clips that the benchmark asks about are "
            "missing: 'train0_0_1', 'train2_0_1', 'train1_0_1', ...",
        ),
        ("--split validation", "{}/data, split validation: 4 of the 4 clips that the benchmark "),
        ("--system vlembed --allow-other-frozen-weights", "Unrecognized options: --allow-other"),
    ],
)
def test_wrong_names_and_combinations_are_one_line(directory, capsys, flags, message):
    write_jsonl(directory / "three.jsonl", described(CLIPS[:3]))
    write_jsonl(directory / "twice.jsonl", described([CLIPS[0], CLIPS[0]]))
    words = flags.format(directory).split()
    assert evaluate(directory, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"stepdiff: error: {message.format(directory, systems=', '.join(SYSTEMS))}"
    )
