"""describe, question and filter: quarantine, summaries, retries, with the oracle and a server."""

import json
from pathlib import Path

import pytest

from data_prep.kitchen.faults import random_clips
from data_prep.kitchen.world import ATTRIBUTES
from data_prep.schema.text import DescribedPair, QuestionCost, UnreadAnswer
from data_prep.stage import Rejected, Shard
from data_prep.text.language_models.endpoint import Endpoint
from data_prep.text.question.stage import ask_questions
from faulty_server import serve
from launch.chain import ORACLE
from launch.cli import main
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl, write_jsonl

CLIPS = random_clips(64, 0)
GOOD = "Q: what differs?\nA: a\nQ: what is the same?\nA: b\nQ: which is first?\nA: c"


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory) -> Path:
    """clips.jsonl, captions, scores, pairs and truth of 64 clips; one pair has a foreign clip."""
    root = tmp_path_factory.mktemp("kitchen")
    names = [clip.clip for clip in CLIPS]
    seen = {"keystep": "stir the soup", "narration": "a bit of salt"}
    write_jsonl(root / "clips.jsonl", [{"clip": name, **seen} for name in names])
    captions = {"actions": ["stirring", "flying"], "objects": ["a spoon", "a car"]}
    write_jsonl(root / "captions.jsonl", [{"clip": name, **captions} for name in names[1:]])
    for kind, scores in (("objects", {"a spoon": 0.5}), ("actions", {"stirring": 0.9})):
        rows = [{"clip": name, "scores": scores} for name in names]
        write_jsonl(root / f"{kind}.jsonl", rows)
    partners = [(a, b) for a, b in zip(names, names[8:])] + [(names[5], "other_0_8")]
    write_jsonl(root / "pairs.jsonl", [{"reference": a, "candidate": b} for a, b in partners])
    write_jsonl(
        root / "truth.jsonl",
        [
            {
                "clip": clip.clip,
                "split": "train",
                "keystep": clip.scene.keystep,
                "values": {name: clip.scene.word(name) for name in ATTRIBUTES},
            }
            for clip in CLIPS
        ],
    )
    return root


def oracle(root: Path) -> list[str]:
    return ["--model.kind", ORACLE, "--model.options", f"truth={root}/truth.jsonl"]


def describe(root: Path, destination: Path, *more: str) -> dict:
    main(
        f"prep describe --clips {root}/clips.jsonl --captions {root}/captions.jsonl "
        f"--object-scores {root}/objects.jsonl --action-scores {root}/actions.jsonl "
        f"--destination {destination} {' '.join([*oracle(root), *more])}".split()
    )
    return json.loads(destination.with_suffix(".summary.json").read_text())


def test_chain_with_the_oracle(kitchen, tmp_path):
    summary = describe(kitchen, tmp_path / "d.jsonl")
    assert summary["in"] == 64
    assert summary["out"] == 63
    assert summary["dropped"] == {"clip cannot be read": 1}
    row = read_jsonl(tmp_path / "d.jsonl")[0].fields
    assert (row["actions"], row["objects"]) == (["stirring"], ["a spoon"])
    assert set(row["dropped"]["actions"]) == {"flying"}

    asked = ["--pairs", f"{kitchen}/pairs.jsonl", "--descriptions", f"{tmp_path}/d.jsonl"]
    question = ["prep", "question", *asked, *oracle(kitchen)]
    main([*question, "--destination", f"{tmp_path}/q.jsonl"])
    summary = json.loads((tmp_path / "q.summary.json").read_text())
    # the clip that was quarantined is in one pair, the clip that is not there in another
    assert summary["dropped"] == {"clip has no description": 2}
    assert summary["counts"]["questions"] == 3 * summary["out"] == 3 * 55
    assert all("raw" in row.fields for row in read_jsonl(tmp_path / "q.jsonl"))

    known = ["--known-words", *ATTRIBUTES]
    filtered = ["--questions", f"{tmp_path}/q.jsonl", "--destination", f"{tmp_path}/f.jsonl"]
    main(["prep", "filter", *filtered, *known])
    counts = json.loads((tmp_path / "f.summary.json").read_text())["counts"]
    assert counts["kept"] + counts.get("removed", 0) == 3 * 55
    assert counts["kept"] > 0.9 * 3 * 55
    removed = [value for name, value in counts.items() if name.startswith("removed by")]
    assert sum(removed) == counts["removed"]


def test_what_is_done_is_not_asked_again_nor_written_over(kitchen, tmp_path, capsys):
    def command(*more: str) -> list[str]:
        return (
            f"prep describe --clips {tmp_path}/clips.jsonl --model.name m "
            f"--destination {tmp_path}/d.jsonl {' '.join(more)}"
        ).split()

    clips = [line.fields for line in read_jsonl(kitchen / "clips.jsonl")][:3]
    write_jsonl(tmp_path / "clips.jsonl", clips)
    with serve(lambda text: "it says so") as (address, served):
        at = f"--model.base-url {address}"
        assert main(command(at)) == 0
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        assert len(served.prompts) == 3
        assert main(command(at)) == 0
        assert main(command(at, "--object-score 0.7")) == 2
        assert (
            "d.summary.json: was made with object_score = 0.1, not 0.7" in capsys.readouterr().err
        )
        write_jsonl(tmp_path / "clips.jsonl", clips[:2])
        assert main(command(at)) == 2
        assert "d.summary.json: was made from other input" in capsys.readouterr().err
        write_jsonl(tmp_path / "clips.jsonl", clips)
        assert len(served.prompts) == 3
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_malformed_answer_is_asked_for_again_with_its_error():
    answers = iter(["I would rather not.", GOOD])
    pair = DescribedPair("a", "b", "a spoon.", "a whisk.")
    with serve(lambda text: next(answers)) as (address, served):
        (result,) = ask_questions(Endpoint(address, "m"), [pair])
    assert not isinstance(result, Rejected)
    assert len(result.questions) == 3
    assert result.raw == GOOD
    assert result.cost == QuestionCost(prompt_tokens=14, completion_tokens=6, calls=2)
    assert served.prompts[0].startswith(
        "Video 1: a spoon. Video 2: a whisk. Summarize the differences and generate 3 "
        "question-answer pairs comparing the two videos."
    )
    assert "0 were found" in served.prompts[1]
    assert "I would rather not." in served.prompts[1]


def test_an_answer_that_stays_malformed_is_quarantined_with_its_text():
    pair = DescribedPair("a", "b", "a spoon", "a whisk")
    with serve(lambda text: "no") as (address, _):
        (result,) = ask_questions(Endpoint(address, "m"), [pair], attempts=3)
    assert isinstance(result, Rejected)
    assert result.extra == UnreadAnswer("no", QuestionCost(14 + 7, 9, 3))


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b"])
def test_wrong_shards_are_bad_input(shard):
    with pytest.raises(InputError, match="--shard"):
        Shard.parse(shard)


def test_unknown_rules_are_bad_input(tmp_path, capsys):
    write_jsonl(tmp_path / "q.jsonl", [{"reference": "a"}])
    command = f"prep filter --questions {tmp_path}/q.jsonl --destination {tmp_path}/f.jsonl"
    assert main([*command.split(), "--rules", "nonsense"]) == 2
    assert "unknown ['nonsense']" in capsys.readouterr().err
