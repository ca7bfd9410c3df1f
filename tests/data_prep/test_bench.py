"""`stepdiff bench prep` on small sizes, and what it measures of a known size."""

import json
import time

import numpy as np

from data_prep.bench.made_up import write_described_clips
from data_prep.bench.measure import rate_in_new_process
from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from data_prep.text.question.stage import question_prompt
from launch.cli import main
from stepdiff_jax.data.tokenizer import Tokenizer

SMALL = ["--frames-clips", "16", "--video-seconds", "10", "--video-size", "64", "48"]
SMALL += ["--pair-clips", "400", "--keysteps", "20", "--pack-pairs", "50"]
BIG = 200_000_000


def fill(records: int, call: int) -> None:
    np.ones(BIG, np.uint8)
    time.sleep(0.02 * records)


def test_memory_is_the_peak_of_the_process_that_works():
    more = np.ones(5 * BIG, np.uint8)
    rate = rate_in_new_process(fill, few=1, many=9, repeats=1, workers=0)
    assert more[-1] == 1
    assert BIG < rate.peak_bytes < 3 * BIG


def test_every_part_is_measured(capsys):
    assert main(["bench", "prep", "--json", *SMALL]) == 0
    found = json.loads(capsys.readouterr().out)
    rates = [*found["frames"]["processes"].values(), found["pair"], found["pack"]]
    assert len(rates) == 4
    assert all(rate["peak_bytes"] > 1e7 for rate in rates)
    assert found["pair"]["pairs"] > 0


def test_a_part_that_is_not_asked_for_is_left_out(capsys):
    assert main(["bench", "prep", "--parts", "pack", *SMALL]) == 0
    assert "pairs/s" in capsys.readouterr().out.splitlines()[-1]
    assert main(["bench", "prep", "--processes", "0"]) == 2
    assert "--processes must be at least 1, got 0" in capsys.readouterr().err


def test_tokens_of_prompts_are_counted(capsys):
    command = ["bench", "prompts", "--samples", "20", "--tokenizer"]
    assert main([*command, str(STAND_INS / "tokenizer.model")]) == 0
    found = json.loads(capsys.readouterr().out)
    template = len(Tokenizer(STAND_INS / "tokenizer.model").encode(question_prompt("", "")))
    assert found["question"]["prompt"] > template + found["describe"]["answer"]
    assert found["question"]["answer"] > found["describe"]["answer"] > 10
    assert main([*command, "nowhere.model"]) == 2


def test_keysteps_are_uneven_and_the_same_for_a_seed(tmp_path):
    sizes = [
        write_described_clips(tmp_path / name, clips=2000, keysteps=100, seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert sizes[0] == sizes[1] != sizes[2]
    assert sum(sizes[0]) == 2000
    assert max(sizes[0]) > 60
    texts = [(tmp_path / name / "descriptions.jsonl").read_bytes() for name in "ab"]
    assert texts[0] == texts[1]


def test_a_collection_is_estimated_from_the_figures(tmp_path, capsys):
    frames = {"processes": {"1": {"core_seconds_per_record": 0.5}}, "bytes_per_clip": 100_000}
    prep = {"frames": frames, "pair": {"core_seconds_per_record": 0.001}}
    prep["pack"] = {"core_seconds_per_record": 0.002, "bytes_per_pair": 400}
    tokens = {"prompt": 100.0, "answer": 40.0}
    (tmp_path / "prep.json").write_text(json.dumps(prep))
    (tmp_path / "prompts.json").write_text(json.dumps({"describe": tokens, "question": tokens}))
    command = ["bench", "corpus", "--clips", "7200000", "--prep", str(tmp_path / "prep.json")]
    command += ["--prompts", str(tmp_path / "prompts.json")]
    assert main(command) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    found = {row[0].removeprefix("| "): row[2].removesuffix(" |") for row in rows}
    assert found["frames"] == "1,000 core hours"
    assert found["frames, stored (and once more when packed)"] == "0.72 TB"
    assert found["question"] == "2.88 billion prompt tokens, 1.15 billion answer tokens"
    assert found["pack of pairs"] == "16 core hours"
    (tmp_path / "prep.json").write_text(json.dumps({"frames": frames}))
    assert main(command) == 2
    assert "have no figure 'pack'" in capsys.readouterr().err
