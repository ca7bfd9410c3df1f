"""`stepdiff table2`: ablations that are not there, language models with their cost, comparisons."""

import json
from pathlib import Path

import jax
import pytest
from flax import nnx

import configs.kitchen
from launch.cli import main
from launch.tables.ablations import STAND_IN, experiments
from launch.tables.ablations import rows as kitchen_rows
from launch.tables.compare import leads_over_each
from launch.tables.cost import cost_of
from launch.tables.paper import SMALLER, TABLE_2
from launch.tables.published import ablations, language_models
from launch.tables.rows import Measured, Row
from stepdiff_jax.config_files import flatten, load_experiment, to_dict
from stepdiff_jax.jsonl import write_jsonl
from stepdiff_jax.models.llama import Llama

CLIPS = [f"v{number}_0_1" for number in range(4)]
ROWS = """
[[row]]
name = "kitchen"
config = "kitchen"
flags = ["--system", "blind", "--run-unused"]

[[row]]
name = "small"
config = "kitchen@small"
flags = ["--system", "blind"]
"""


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    directory = tmp_path / "benchmark"
    lines = [
        {"reference": one, "candidate": CLIPS[0], "category": "Actions", "text": ["It is red."]}
        for one in CLIPS[1:]
    ]
    write_jsonl(directory / "diffcap_dataset.jsonl", lines)
    return directory


def test_runs_that_are_missing_are_named_with_what_trains_them(
    benchmark, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("rows.toml").write_text(ROWS.replace(', "--run-unused"', ""))
    words = f"table2 {benchmark} --size 7b --rows rows.toml --directory out"
    assert main(words.split()) == 0
    text = Path("out/table2.md").read_text()
    assert capsys.readouterr().out.startswith(text)
    run = "runs/stepdiff_7b_without_interleaved"
    command = f"stepdiff train stepdiff_7b --data.mixture.sequences 0 --loop.run-directory {run}"
    row = "- StepDiff without interleaved data"
    assert f"{row}: not measured: no {run} (made by `{command}`)." in text
    assert f"- {SMALLER}: not measured: no runs/stepdiff_13b" in text
    stored = json.loads(Path("out/table2.json").read_text())
    assert [one["row"]["name"] for one in stored["ablations"]] == list(TABLE_2)
    kitchen, small = stored["language_models"]
    assert kitchen["weights"] > 2 * small["weights"] and kitchen["step_flops"] > small["step_flops"]
    assert kitchen["metrics"]["CIDEr"] is not None and kitchen["training_seconds"] is None
    page = Path("out/table2.html").read_text()
    assert "Language models" in page and "kitchen" in page


def test_the_commands_that_train_the_ablations_are_valid(monkeypatch, tmp_path):
    from stepdiff_jax.arguments import load_config, parse_arguments

    for row in ablations("7b"):
        assert row.made_by.startswith("stepdiff train ")
        experiment, prog, rest = load_config("stepdiff train", row.made_by.split()[2:])
        parsed = parse_arguments(type(experiment), rest, prog=prog, default=experiment)
        assert (Path(parsed.loop.run_directory),) == row.needs
        sources = {one.name for one in parsed.data.sources}
        assert ("sequences" in sources) == ("interleaved" not in row.name)


def test_each_ablation_of_the_kitchen_differs_in_one_thing(tmp_path):
    found = experiments(tmp_path / "quickstart", tmp_path)
    base = flatten(to_dict(found["StepDiff"]))

    def changed(name: str) -> set[str]:
        other = flatten(to_dict(found[name]))
        where = {key for key in base if base[key] != other[key]}
        return where - {"name", "loop.run_directory"}

    assert changed("StepDiff without interleaved data") == {"data.mixture"}
    assert changed("StepDiff without QA filtering") == {"data.directory"}
    assert {key.split(".")[0] for key in changed(STAND_IN)} == {"llama", "weights"}
    rows = kitchen_rows(tmp_path / "quickstart", tmp_path, "test")
    assert list(rows) == list(found)
    assert [row.paper for row in rows.values()] == list(TABLE_2.values())
    assert len({row.flags for row in rows.values()}) == len(rows)


@pytest.mark.parametrize("config", ["kitchen", "kitchen@small", "stepdiff@llama3-1b"])
def test_weights_are_those_of_the_model(config):
    llama = load_experiment(config).llama
    abstract = nnx.eval_shape(lambda: Llama(llama, rngs=nnx.Rngs(0)))
    assert cost_of(load_experiment(config)).weights == sum(
        leaf.size for leaf in jax.tree.leaves(nnx.state(abstract))
    )


def test_training_time_is_that_of_the_run(tmp_path):
    experiment = configs.kitchen.experiment(runs=str(tmp_path))
    run = Path(experiment.loop.run_directory)
    write_jsonl(run / "metrics.jsonl", [{"step": 10, "seconds": 4.0}, {"step": 20, "seconds": 3.5}])
    assert cost_of(experiment).training_seconds == 7.5


def test_every_published_size_has_a_row():
    from stepdiff_jax.families.common.find import size_names

    found = language_models()
    assert list(found) == size_names()
    assert found["llama2-70b"].needs == (Path("runs/stepdiff_70b"),)


def test_stepdiff_is_compared_with_every_other_row(benchmark, tmp_path):
    def measured(name: str, said: str, cider: float) -> Measured:
        directory = tmp_path / name
        samples = [{"id": number, "generated_text": said} for number in range(3)]
        write_jsonl(directory / "samples_diffcap.jsonl", samples)
        results = {"tasks": {"diffcap": {"CIDEr": cider}}}
        return Measured(Row(name, "kitchen", ()), results=results, predictions=directory)

    rows = [
        measured("StepDiff", "It is red.", 1.0),
        measured("other", "It is blue.", 0.5),
        Measured(Row("gone", "kitchen", ()), absent="no run"),
    ]
    (lead,) = leads_over_each(rows, benchmark)
    assert lead.other == "other" and lead.difference >= 0
