"""The log of an evaluation, from which it resumes."""

import json

import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.samples import SampleLog, results_of

IDENTITY = {"system": {"name": "stepdiff", "variants": ("a", "b")}, "files": {"x": "1"}}


def written(directory, numbers, identity=IDENTITY) -> SampleLog:
    log = SampleLog(directory, "diffcap", identity)
    log.start({"greedy": True})
    log.append([{"id": number, "generated_text": f"caption {number}"} for number in numbers])
    return log


def test_samples_are_found_again_and_sorted(tmp_path):
    written(tmp_path, [3, 1])
    again = SampleLog(tmp_path, "diffcap", IDENTITY)
    assert not again.changed
    assert set(again.samples) == {1, 3}
    again.start({})
    again.append([{"id": 2}])
    again.sort()
    lines = [json.loads(line) for line in again.path.read_text().splitlines()]
    assert [line["id"] for line in lines] == [1, 2, 3]


def test_the_line_that_a_kill_cut_off_is_asked_again(tmp_path):
    log = written(tmp_path, [0, 1])
    content = log.path.read_bytes()
    log.path.write_bytes(content[:-9])
    again = SampleLog(tmp_path, "diffcap", IDENTITY)
    assert set(again.samples) == {0}
    again.start({})
    again.append([{"id": 1}])
    assert set(SampleLog(tmp_path, "diffcap", IDENTITY).samples) == {0, 1}


def test_another_evaluations_samples_stay_until_this_one_has_begun(tmp_path):
    log = written(tmp_path, [0])
    other = {**IDENTITY, "files": {"x": "2"}}
    new = SampleLog(tmp_path, "diffcap", other)
    assert new.changed == "files.x"
    assert not new.samples
    assert log.path.exists()
    new.start({})
    assert not log.path.exists()
    assert SampleLog(tmp_path, "diffcap", IDENTITY).changed == "files.x"


def test_results_are_those_of_the_same_system(tmp_path):
    log = written(tmp_path, [0], {**IDENTITY, "instances": "1"})
    assert results_of(tmp_path, IDENTITY) == {}
    log.note(result={"metrics": {"CIDEr": 1.0}})
    result = {"metrics": {"CIDEr": 1.0}, "instances": "1"}
    assert results_of(tmp_path, IDENTITY) == {"diffcap": result}
    assert results_of(tmp_path, {**IDENTITY, "files": {}}) == {}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("samples_diffcap.json", "[", "cannot be read: "),
        ("samples_diffcap.json", "{}", "cannot be read: 'identity'; delete it to start over"),
        ("samples_diffcap.jsonl", '{"id": -1}\n', "line 1: field 'id' must be the number of"),
        ("samples_diffcap.jsonl", "{}\n", "line 1: field 'id' is missing"),
        ("samples_diffcap.jsonl", "x\n", "line 1: is not JSON"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    written(tmp_path, [0])
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=name) as caught:
        SampleLog(tmp_path, "diffcap", IDENTITY)
    assert message in str(caught.value)
