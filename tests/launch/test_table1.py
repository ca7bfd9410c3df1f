"""`stepdiff table1` on rows of a file: measured, missing, failing; and what it writes."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from launch.cli import main
from launch.tables.compare import Lead
from launch.tables.kitchen import rows as kitchen_rows
from launch.tables.paper import TABLE_1
from launch.tables.published import read_rows
from launch.tables.published import rows as published_rows
from launch.tables.samples import choose_pairs
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import DiffCap
from stepdiff_jax.evaluation.middle_frame import MiddleFrame
from stepdiff_jax.jsonl import write_jsonl
from tiny_experiment import write_tiny_experiment

CLIPS = [f"train{number}_0_1" for number in range(4)]
PAIRS = [[CLIPS[0], CLIPS[1]], [CLIPS[1], CLIPS[2]], [CLIPS[2], CLIPS[3]], [CLIPS[3], CLIPS[0]]]
ROWS = """
[[row]]
name = "Interleaved (AnyMAL)"
config = "kitchen"
flags = ["--system", "socratic", "--descriptions", "{0}/descriptions.jsonl"]

[[row]]
name = "StepDiff"
config = "kitchen"
flags = ["--system", "blind"]

[[row]]
name = "VCLM (LLaVA)"
config = "kitchen"
flags = ["--system", "vclm_llava", "--weights", "{0}/llava"]
needs = ["{0}/llava"]

[[row]]
name = "VLEmbed (InternVideo)"
config = "kitchen"
flags = ["--system", "vlembed", "--data.directory", "{0}/nowhere"]
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("table1")
    write_tiny_experiment(root)
    captions = [
        {"reference": one, "candidate": two, "category": name, "text": ["It is red."]}
        for one, two in PAIRS
        for name in ("Actions", "Visuals")
    ]
    choices = [
        {"difference": f"It is {name}.", "category": "Actions", "options": PAIRS, "answer": pair}
        for name, pair in zip(("red", "cut", "hot", "raw"), PAIRS)
    ]
    rankings = [
        {"reference": one, "targets": CLIPS, "category": "Actions", "scores": [5, 3, 1, 0]}
        for one in CLIPS
    ]
    for task, lines in (("diffcap", captions), ("diffmcq", choices), ("diffrank", rankings)):
        write_jsonl(root / "benchmark" / f"{task}_dataset.jsonl", lines)
    texts = ("chops an onion", "stirs the soup", "peels carrots", "boils water")
    described = [{"clip": clip, "description": text} for clip, text in zip(CLIPS, texts)]
    write_jsonl(root / "descriptions.jsonl", described)
    (root / "rows.toml").write_text(ROWS.format(root))
    return root


def table1(directory: Path) -> int:
    words = f"table1 {directory}/benchmark --rows {directory}/rows.toml --directory {directory}/out"
    return main(words.split())


def test_what_can_be_measured_is_and_what_cannot_is_said(directory, capsys):
    assert table1(directory) == 2  # a row failed
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "stepdiff: error: 1 of the rows failed; the table says why"
    stored = json.loads((directory / "out/table1.json").read_text())
    state = {one["row"]["name"]: (bool(one["absent"]), bool(one["failed"])) for one in stored}
    assert state == {
        "Interleaved (AnyMAL)": (False, False),
        "StepDiff": (False, False),
        "VCLM (LLaVA)": (True, False),
        "VLEmbed (InternVideo)": (False, True),
    }
    text = (directory / "out/table1.md").read_text()
    assert told.out.startswith(text)
    lines = {line.split(" |")[0].removeprefix("| "): line for line in text.splitlines()}
    accuracy = stored[0]["metrics"]["accuracy"]
    assert f"**{accuracy:.3f}".replace("0.", ".") in lines["Interleaved (AnyMAL)"]
    assert "(.497)" in lines["Interleaved (AnyMAL)"]  # the paper's
    assert lines["VCLM (LLaVA)"].count("–") == 5
    assert f"- VCLM (LLaVA): not measured: no {directory}/llava." in text
    assert f"- VLEmbed (InternVideo): failed: {directory}/nowhere" in text
    assert "DiffCap: StepDiff is " in text and " Interleaved (AnyMAL) (95 % interval" in text
    page = (directory / "out/table1.html").read_text()
    assert "StepDiff over Interleaved, by category" in page
    assert page.count("<svg") == 1
    # Six sample pairs, without the frames of clips that the first row's config does not find.
    assert page.count("<article") == 6 and page.count("<img") == 0
    assert "runs/quickstart/data" in page and page.count("<dt>StepDiff</dt>") == 6


def test_sample_pairs_are_shown_with_their_frames(directory, tmp_path):
    rows = ROWS.format(directory).split("[[row]]")[1]
    flags = f'"--data.directory", "{directory}/data", "--clip-frames", "middle", "--system"'
    (tmp_path / "rows.toml").write_text("[[row]]" + rows.replace('"--system"', flags))
    words = f"table1 {directory}/benchmark --rows {tmp_path}/rows.toml --directory {tmp_path}/out"
    assert main(words.split()) == 0
    page = (tmp_path / "out/table1.html").read_text()
    assert page.count("<article") == 6 and page.count("<img") == 6 * 2 * 8
    assert len(set(re.findall(r"data:image/jpeg;base64,[^\"]+", page))) > 8  # not the middle alone


def test_what_is_measured_is_not_measured_again(directory, capsys):
    table1(directory)
    capsys.readouterr()
    path = next((directory / "out").glob("stepdiff/**/samples_diffmcq.jsonl"))
    before = path.stat().st_mtime_ns
    kept = path.read_text()
    assert table1(directory) == 2
    assert "diffmcq" not in capsys.readouterr().err
    assert path.read_text() == kept
    assert path.stat().st_mtime_ns > before  # written anew, in the benchmark's order


def test_a_benchmark_may_have_some_of_the_files(directory, tmp_path, capsys):
    assert main(["table1", str(tmp_path)]) == 2
    assert f"{tmp_path}: has none of diffcap_dataset.jsonl" in capsys.readouterr().err
    only = "diffrank_dataset.jsonl"
    (tmp_path / only).write_bytes((directory / "benchmark" / only).read_bytes())
    (tmp_path / "rows.toml").write_text(ROWS.format(directory).split('[[row]]\nname = "VCLM')[0])
    words = f"table1 {tmp_path} --rows {tmp_path}/rows.toml --directory {tmp_path}/out"
    assert main(words.split()) == 0
    stored = json.loads((tmp_path / "out/table1.json").read_text())
    assert [set(one["metrics"]) for one in stored] == [{"ktau", "ktau_nan_as_zero"}] * 2


def test_all_rows_of_the_paper_are_there(tmp_path):
    kitchen = kitchen_rows(tmp_path, tmp_path, "test")
    assert [row.name for row in kitchen[:-1]] == list(TABLE_1)
    assert all(row.stands_in for row in kitchen)
    assert [row.name for row in published_rows("7b")] == list(TABLE_1)
    assert len({row.slug for row in kitchen}) == len(kitchen)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no [[row]]"),
        ("[row", "cannot be read"),
        ('[[row]]\nname = "a"', "row 1: field 'config' must be a text, got None"),
        ('[[row]]\nname = "a"\nconfig = "b"\nflags = "c"', "row 1: field 'flags' must be a list"),
        ('[[row]]\nname = "a"\nconfig = "b"\nsystem = "c"', "row 1: field 'system' is unknown"),
    ],
)
def test_wrong_rows_are_one_line(tmp_path, text, message):
    path = tmp_path / "rows.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(str(path)) and message in str(caught.value)


def test_a_lead_says_whether_it_is_certain():
    sure = Lead("diffmcq", "VLEmbed (CLIP)", 0.1, 0.05, 0.15).sentence()
    assert sure == (
        "DiffMCQ: StepDiff is .100 accuracy ahead of VLEmbed (CLIP) (95 % interval of the "
        "difference: .050 to .150)."
    )
    behind = Lead("diffrank", "Socratic (LLaVA)", -0.1, -0.25, 0.05).sentence()
    assert ".100 tau behind Socratic" in behind and "not certain" in behind


def test_samples_are_of_different_categories():
    instances = [DiffCap("a_0_1", "b_0_1", name, ("c",)) for name in "xxxxyyz"]
    chosen = choose_pairs(instances, 3)
    assert {instances[number].category for number in chosen} == set("xyz")
    assert sorted(choose_pairs(instances, 99)) == list(range(7))
    assert choose_pairs([], 3) == []


def test_the_middle_frame_stands_for_all():
    import numpy as np

    class Clips:
        ids = ("a",)

        def frames(self, clip):
            return np.arange(5, dtype=np.uint8)[:, None, None, None]

        def facts(self, clip):
            return {"times": [0.0, 1.0, 2.0, 3.0, 4.0], "frames": "all", "decoder": "none"}

    middle = MiddleFrame(Clips())
    assert middle.frames("a").ravel().tolist() == [2] * 5
    digest = hashlib.sha256(bytes([2])).hexdigest()
    assert middle.facts("a") == {"times": [2.0] * 5, "frames": digest, "decoder": "none"}
