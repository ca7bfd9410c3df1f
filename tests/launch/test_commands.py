"""The commands that need a model, one after the other on tiny files, as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from launch.cli import main
from stepdiff_jax.config_files import to_dict
from stepdiff_jax.data.prompts import CATEGORIES
from stepdiff_jax.evaluation.benchmark_files import TASKS
from tiny_experiment import write_tiny_experiment

CLIPS = [f"train{number}_0_1" for number in range(4)]
PAIRS = [[CLIPS[0], CLIPS[1]], [CLIPS[1], CLIPS[0]], [CLIPS[2], CLIPS[3]], [CLIPS[3], CLIPS[2]]]
BENCHMARK = {
    "diffcap": {
        "reference": CLIPS[0],
        "candidate": CLIPS[1],
        "category": "Visuals",
        "text": ["the person chops tomatoes"],
    },
    "diffmcq": {
        "difference": "the person chops tomatoes",
        "category": "Visuals",
        "options": PAIRS,
        "answer": PAIRS[2],
    },
    "diffrank": {
        "reference": CLIPS[0],
        "targets": [CLIPS[1], CLIPS[2], CLIPS[3], CLIPS[0]],
        "category": "Visuals",
        "scores": [1, 2, 3, 5],
    },
}


STEPS = ("--optimizer.steps", "3", "--loop.evaluate-every", "0")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds config.py, an experiment of three steps, trained; a benchmark; and four videos."""
    root = tmp_path_factory.mktemp("commands")
    experiment = write_tiny_experiment(root)
    (root / "config.json").write_text(json.dumps(to_dict(experiment)))
    (root / "config.py").write_text(
        "from pathlib import Path\n"
        "from stepdiff_jax.config_files import read_experiment\n"
        "def experiment():\n"
        "    return read_experiment(Path(__file__).parent)\n"
    )
    (root / "benchmark").mkdir()
    for task, line in BENCHMARK.items():
        (root / "benchmark" / f"{task}_dataset.jsonl").write_text(json.dumps(line) + "\n")
    assert main(("train", str(root / "config.py"), *STEPS)) == 0
    return root


def videos(directory: Path) -> list[str]:
    return [str(directory / "records" / f"train{number}.mp4") for number in range(3)]


def test_train_stores_the_experiment_with_its_flags(directory):
    stored = json.loads((directory / "run" / "config.json").read_text())
    given = json.loads((directory / "config.json").read_text())
    assert stored["optimizer"].pop("steps") == 3
    assert stored["loop"].pop("evaluate_every") == 0
    del given["optimizer"]["steps"], given["loop"]["evaluate_every"]
    assert stored == given


def test_evaluate_writes_official_predictions_and_what_it_ran_on(directory, capsys):
    arguments = ("--benchmark", str(directory / "benchmark"), "--split", "train")
    assert main(("evaluate", str(directory / "config.py"), *arguments)) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert list(metrics) == list(TASKS)
    results = json.loads((directory / "run" / "results.json").read_text())
    assert results["tasks"] == metrics
    assert results["system"] == {
        "name": "trained",
        "allow_other_frozen_weights": False,
        "run": None,
        "beams": 1,
        "length_penalty": 1.0,
        "new_tokens": 64,
    }
    assert results["ran_on"]["devices"] == "8 x cpu"
    for task in TASKS:  # `score` reads what `evaluate` wrote, and agrees
        predictions = directory / "run" / "predictions" / "train" / f"{task}.jsonl"
        ground_truth = directory / "benchmark" / f"{task}_dataset.jsonl"
        paths = ("--ground-truth", str(ground_truth), "--predictions", str(predictions))
        assert main(("score", "--task", task, *paths)) == 0
        assert json.loads(capsys.readouterr().out) == metrics[task]


def test_cached_features_stand_for_the_frames(directory, capsys):
    config = str(directory / "config.py")
    assert main(("prep", "features", config, "--splits", "train")) == 0
    assert capsys.readouterr().out == f"{directory / 'data'}: 4 clips of train\n"
    benchmark = ("--benchmark", str(directory / "benchmark"), "--split", "train")
    scores = []
    for source in ("frames", "features"):
        options = ("--task", "diffmcq", "--data.visual-input", source)
        assert main(("evaluate", config, *benchmark, *options)) == 0
        (line,) = (directory / "run/predictions/train/diffmcq.jsonl").read_text().splitlines()
        scores.append(json.loads(line)["scores"])
    assert len(set(scores[0])) == 4
    assert scores[1] == pytest.approx(scores[0], rel=1e-3)  # float16


def test_compare_tells_a_difference_in_each_category(directory, capsys):
    first, second, _ = videos(directory)
    model = ("--model", str(directory / "run"))
    assert main(("compare", first, f"{second}@0.2-0.9", *model)) == 0
    told = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == list(CATEGORIES)


def test_rank_is_by_likelihood(directory, capsys):
    reference, *candidates = videos(directory)
    arguments = ("--category", "Actions", "--model", str(directory / "run"))
    assert main(("rank", reference, *candidates, *arguments)) == 0
    likelihoods, ranked = zip(*(line.split() for line in capsys.readouterr().out.splitlines()))
    assert sorted(ranked) == sorted(candidates)
    assert sorted(likelihoods, reverse=True) == list(likelihoods)


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ("nowhere.mp4", "nowhere.mp4: "),
        ("{broken}", "{broken}: "),
        ("{video}@3-2", "video '{video}@3-2': '3-2' is not a span in seconds"),
        ("{video}@5-6", "{video}: the span starts at 5 s, after the video's end at "),
        ("{video}@0.2-90", "{video}: the span ends at 90 s, after the video's end at "),
        ("me@lab/missing.mp4", "me@lab/missing.mp4: no such video file"),
        ("caf\udce9.mp4", "caf\\udce9.mp4: no such video file"),
    ],
)
def test_bad_videos_are_one_line(directory, capsys, video, message):
    first, *_ = videos(directory)
    names = {"video": first, "broken": str(directory / "config.py")}
    model = ("--model", str(directory / "run"), "--question", "what?")
    assert main(("compare", first, video.format(**names), *model)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"stepdiff: error: {message.format(**names)}")


def test_weights_of_another_model_are_refused(directory, capsys):
    """The run's trained weights belong to other frozen weights than the files hold by now."""
    path = directory / "llama.safetensors"
    weights = path.read_bytes()
    path.write_bytes(weights[:-4] + bytes(byte ^ 1 for byte in weights[-4:]))
    try:
        first, second, _ = videos(directory)
        words = ("compare", first, second, "--model", str(directory / "run"))
        assert main(words) == 2
        again = ("train", str(directory / "config.py"), *STEPS)
        assert main(again) == 2
        refused = capsys.readouterr().err
        assert main((*words, "--allow-other-frozen-weights")) == 0
        assert main((*again, "--allow-other-frozen-weights")) == 0
    finally:
        path.write_bytes(weights)
    lines = [line for line in refused.splitlines() if line.startswith("stepdiff: error:")]
    assert len(lines) == 2
    for line in lines:
        assert "a checkpoint of another model: fingerprint is " in line
        assert "--allow-other-frozen-weights accepts it anyway" in line


def test_weights_are_checked_without_starting_a_backend(directory):
    program = (
        "import sys; from launch.cli import main; code = main(sys.argv[1:]);"
        "from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized());"
        "sys.exit(code)"
    )
    report = directory / "report.json"
    words = ("weights", str(directory / "config.py"), "--report", str(report))
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    *table, backends = done.stdout.splitlines()
    assert backends == "False"
    assert any(line.startswith("blocks.query ") for line in table)
    assert json.loads(report.read_text()) == json.loads(
        (directory / "run" / "weights.json").read_text()
    )


def test_a_directory_that_is_no_run(tmp_path, capsys):
    assert main(("compare", "a.mp4", "b.mp4", "--model", str(tmp_path))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"stepdiff: error: {tmp_path / 'config.json'}: cannot be read: ")
