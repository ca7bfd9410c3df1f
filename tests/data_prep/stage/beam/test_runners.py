"""All stages on Beam (make beam): on several processes, and on a cluster that loses a worker."""

import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kitchen_stages import files, stepdiff, write_kitchen

pytest.importorskip("apache_beam", reason="needs the beam extra (make beam)")
psutil = pytest.importorskip("psutil")

SECONDS = 150


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory) -> Path:
    """The kitchen after all stages, without Beam."""
    directory = tmp_path_factory.mktemp("kitchen") / "one"
    write_kitchen(directory)
    done = stepdiff(directory, "prep", "all", "settings.toml")
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture
def kitchen(one_machine, tmp_path) -> Path:
    """The kitchen before the first stage."""
    directory = tmp_path / "beam"
    skipped = shutil.ignore_patterns("records", "data", "inspect.html")
    return Path(shutil.copytree(one_machine, directory, ignore=skipped))


@contextmanager
def dask_cluster(directory: Path) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """The address of a scheduler with two worker processes."""
    address_file = directory / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    own = ["--port", "0", "--no-dashboard", "--scheduler-file", str(address_file)]
    started = [subprocess.Popen([*dask, "scheduler", *own], **quiet)]
    try:
        wait_for(address_file.exists)
        worker = ["worker", "--scheduler-file", str(address_file), "--nthreads", "1"]
        worker += ["--no-nanny", "--no-dashboard", "--local-directory", str(directory)]
        started += [subprocess.Popen([*dask, *worker], **quiet) for _ in range(2)]
        yield str(address_file), started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_for(condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_several_processes_of_the_local_runner_write_the_bytes_of_one(one_machine, kitchen):
    options = ["direct_num_workers=2", "direct_running_mode=multi_processing"]
    runner = ["--beam-runner", "DirectRunner", "--beam-options", *options]
    shutil.copytree(one_machine / "records", kitchen / "records")
    for name in ("frames.jsonl", "frames.summary.json", "frames.quarantine.jsonl"):
        (kitchen / "records" / name).unlink()
    shutil.rmtree(kitchen / "records/frames")
    frames = ["--clips", "records/clips.jsonl", "--destination", "records/frames.jsonl"]
    done = stepdiff(kitchen, "prep", "frames", *frames, *runner, "--beam-shards", "4")
    assert done.returncode == 0, done.stderr
    pack = ["--source", "records", "--destination", "data"]
    done = stepdiff(kitchen, "prep", "pack", *pack, *runner)
    assert done.returncode == 0, done.stderr
    assert files(kitchen) == files(one_machine)


def test_a_cluster_that_loses_a_worker_writes_the_bytes_of_one_machine(
    one_machine, kitchen, tmp_path
):
    with dask_cluster(tmp_path) as (scheduler, workers):
        words = ["--beam-runner", "DaskRunner", "--beam-shards", "4", "--beam-options"]
        words += [f"dask_scheduler_file={scheduler}"]
        lost, killed = [], []

        def kill_one_that_decodes() -> None:
            while not killed:
                for worker in workers:
                    lost[:] = shards_of(worker, "frames")
                    if lost:
                        worker.kill()
                        killed.append(worker)
                        break
                time.sleep(0.05)

        threading.Thread(target=kill_one_that_decodes, daemon=True).start()
        done = stepdiff(kitchen, "prep", "all", "settings.toml", *words)
        assert done.returncode == 0, done.stderr
        assert killed and killed[0].wait() == -signal.SIGKILL
        assert [worker.poll() for worker in workers].count(None) == 1
    wait_for(lambda: not any(process.is_running() for process in lost))
    assert files(kitchen) == files(one_machine)


def shards_of(worker: subprocess.Popen, stage: str) -> list:
    """The processes that do a stage's shards for a worker."""
    found = []
    for child in psutil.Process(worker.pid).children():
        with suppress(psutil.Error):  # it has ended
            if stage in child.cmdline():
                found.append(child)
    return found


def test_a_cluster_that_is_not_there_is_named(kitchen):
    words = ["--beam-runner", "DaskRunner", "--beam-options"]
    words += ["dask_client_address=tcp://127.0.0.1:9", "dask_connection_timeout=1"]
    done = stepdiff(kitchen, "prep", "all", "settings.toml", *words)
    assert done.returncode == 75
    assert re.fullmatch(
        "stepdiff: error: --beam-runner DaskRunner: .*", done.stderr.splitlines()[-1]
    )
