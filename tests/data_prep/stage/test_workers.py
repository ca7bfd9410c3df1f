"""A stage in shards on workers: the files of one machine, whatever the shards and the failures."""

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.schema.line import Line, Row
from data_prep.stage import Rejected, Shard, run_stage
from data_prep.stage.beam.workers import BeamWorkers, _words
from data_prep.stage.lock import locked
from stepdiff_jax.errors import InputError, OutsideFailure


class Number(Line, frozen=True):
    """A record of these tests' stage: a number, and how many lines come out of it."""

    number: int
    lines: int

    @property
    def key(self) -> str:
        """Identifies the record."""
        return str(self.number)


def work(batch: Sequence[Number]) -> Iterator[Number | Rejected]:
    """Numbers with fewer than no lines are rejected."""
    for one in batch:
        yield one if one.lines >= 0 else Rejected("too few", str(one.lines))


def lines(row: Row, result: Row) -> Iterator[Row]:
    for copy in range(result["lines"]):
        yield {"number": row["number"], "copy": copy}


def run(rows: list[Row], destination: Path, shard: Shard, work: Callable = work) -> Row:
    return run_stage(
        rows,
        Number,
        work,
        destination,
        shard=shard,
        settings={"a": 1},
        counts=lambda result: {"seen": 1, f"of {result['lines']}": 0},
        lines=lines,
        set_aside=lambda row, result: [{**row, "reason": "many"}] if result["lines"] > 2 else [],
        result_of=None,
    )


@dataclass
class Here:
    """Workers in this process. `lost`: shards whose first worker ends without a word."""

    rows: list[Row]
    destination: Path
    shards: int
    lost: set[int] = field(default_factory=set)
    did: list[int] = field(default_factory=list)

    def count(self, records: int) -> int:
        return self.shards

    def run(self, numbers, count, is_done, failure) -> None:
        for number in numbers:
            if number in self.lost:
                self.lost.remove(number)
                continue
            self.did.append(number)
            run(self.rows, self.destination, Shard(number, count))
            assert is_done(number)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


ROWS = st.lists(st.integers(-1, 4), max_size=70)


@settings(deadline=None, max_examples=40)
@given(numbers=ROWS, shards=st.integers(2, 9), lost=st.sets(st.integers(1, 9), max_size=2))
def test_shards_on_workers_leave_the_files_of_one_machine(numbers, shards, lost):
    rows = [{"number": at, "lines": count} for at, count in enumerate(numbers)]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        run(rows, Path(one, "x.jsonl"), Shard())
        here = Here(rows, Path(many, "x.jsonl"), shards, lost)
        gone = sorted(number for number in lost if number <= shards)
        if gone:
            with pytest.raises(InputError, match="was not written; do all workers share"):
                run(rows, here.destination, Shard(workers=here))
            assert here.did == [one for one in range(1, shards + 1) if one not in gone]
            here.did.clear()
        summary = run(rows, here.destination, Shard(workers=here))
        assert here.did == (gone or list(range(1, shards + 1)))  # what is done stays done
        assert contents(Path(many)) == contents(Path(one))
        assert summary["in"] == len(rows)
        run(rows, here.destination, Shard(workers=here))
        assert contents(Path(many)) == contents(Path(one))


@given(records=st.integers(0, 200), count=st.integers(1, 20))
def test_shards_in_order_are_the_whole(records, count):
    rows = list(range(records))
    parts = [Shard(number, count).of(rows) for number in range(1, count + 1)]
    assert [row for part in parts for row in part] == rows
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_another_number_of_shards_is_refused(tmp_path):
    rows = [{"number": at, "lines": 1} for at in range(9)]
    here = Here(rows, tmp_path / "x.jsonl", 3, {2})
    with pytest.raises(InputError, match="was not written"):
        run(rows, here.destination, Shard(workers=here))
    here.shards = 4
    with pytest.raises(InputError, match="begun in 3 shards, not 4; go on with --beam-shards 3"):
        run(rows, here.destination, Shard(workers=here))


def test_records_of_an_unfinished_run_on_one_machine_are_not_done_again(tmp_path):
    rows = [{"number": at, "lines": 1} for at in range(70)]

    def breaks_off(batch: Sequence[Number]) -> Iterator[Number | Rejected]:
        for one in batch:
            if one.number == 40:
                raise OutsideFailure("the disk is full")
            yield one

    with pytest.raises(OutsideFailure):
        run(rows, tmp_path / "x.jsonl", Shard(), breaks_off)
    here = Here(rows, tmp_path / "x.jsonl", 4)
    journals = []

    def looking(numbers, count, is_done, failure) -> None:
        journals.extend(sorted(path.name for path in tmp_path.glob("x.*-of-4.part")))
        Here.run(here, numbers, count, is_done, failure)

    here.run = looking
    run(rows, here.destination, Shard(workers=here))
    assert journals == ["x.1-of-4.part", "x.2-of-4.part", "x.3-of-4.part"]
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 70


def test_default_shards_are_of_one_batch_and_not_too_many():
    workers = BeamWorkers(("stepdiff", "prep", "frames"), "DirectRunner")
    assert [workers.count(records) for records in (0, 1, 33, 330, 10**7)] == [2, 2, 2, 11, 1000]
    assert BeamWorkers(("stepdiff",), "DirectRunner", (), 8).count(1000) == 8


def test_workers_run_the_command_without_beams_options():
    words = "stepdiff prep pair --lowest -1 --beam-runner X --exclude a b --beam_options c=1 d=2"
    assert _words([*words.split(), "--shard", "1/2"]) == [
        *["stepdiff", "prep", "pair", "--lowest", "-1", "--exclude", "a", "b", "--shard", "1/2"]
    ]


def add_one(path: Path) -> None:
    for _ in range(30):
        with locked(path):
            path.write_text(str(int(path.read_text()) + 1))


def test_one_process_at_a_time_writes(tmp_path):
    path = tmp_path / "number"
    path.write_text("0")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=add_one, args=(path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert path.read_text() == "90"
    assert [one.name for one in tmp_path.iterdir()] == ["number"]


def test_a_lock_that_a_killed_process_has_left_is_taken_over(tmp_path):
    (tmp_path / ".number.lock").touch()
    with locked(tmp_path / "number"):
        pass
    assert not list(tmp_path.iterdir())
