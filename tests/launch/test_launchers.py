"""The launchers, run against stand-ins of the clusters' own programs, and against their schemas."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from kubeflow_trainer_api.models.jobset_v1alpha2_job_set import JobsetV1alpha2JobSet

ROOT = Path(__file__).parents[2]
SLURM, TPU_VM = ROOT / "launch/slurm/train.sbatch", ROOT / "launch/tpu_vm/train.sh"
JOBSETS = [ROOT / "launch/gke/jobset.yaml", ROOT / "launch/gke/evaluate.yaml"]


def program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)


def run(script: Path, *arguments: str, bin: Path, **environment: str):
    inherited = {"PATH": f"{bin}:{os.environ['PATH']}"}
    command = ["bash", str(script), *arguments]
    return subprocess.run(
        command, env=inherited | environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("script", [SLURM, TPU_VM], ids=["slurm", "tpu_vm"])
def test_shellcheck_finds_nothing(script):
    command = [str(Path(sys.executable).parent / "shellcheck"), str(script)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "ended, code, requeued", [(0, 0, False), (75, 0, True), (2, 2, False), (1, 1, False)]
)
def test_slurm_queues_again_what_was_stopped_and_saved_and_nothing_else(
    tmp_path, ended, code, requeued
):
    bin, log = tmp_path / "bin", tmp_path / "log"
    # srun takes its own options off and runs the rest, as the real one does on each task.
    program(bin / "srun", 'while [[ $1 == --* ]]; do shift; done; exec "$@"')
    program(bin / "scontrol", f'echo "scontrol $*" >> {log}')
    program(
        tmp_path / ".venv/bin/stepdiff",
        f'echo "stepdiff $* $STEPDIFF_DISTRIBUTED" >> {log}; exit {ended}',
    )
    done = run(
        SLURM, "--loop.seed", "3", bin=bin, PROJECT=str(tmp_path), CONFIG="x", SLURM_JOB_ID="17"
    )
    assert done.returncode == code, done.stderr
    lines = log.read_text().splitlines()
    assert lines[0] == "stepdiff train x --loop.seed 3 auto"
    assert lines[1:] == (["scontrol requeue 17"] if requeued else [])


def test_slurm_evaluates(tmp_path):
    program(tmp_path / "bin/srun", 'while [[ $1 == --* ]]; do shift; done; exec "$@"')
    program(tmp_path / ".venv/bin/stepdiff", 'echo "stepdiff $*"')
    where = {"PROJECT": str(tmp_path), "CONFIG": "x", "COMMAND": "evaluate", "SLURM_JOB_ID": "1"}
    done = run(SLURM, "--benchmark", "b", bin=tmp_path / "bin", **where)
    assert done.stdout == "stepdiff evaluate x --benchmark b\n"


def test_slurm_signals_the_processes_before_time_is_up_and_may_requeue():
    options = [line for line in SLURM.read_text().splitlines() if line.startswith("#SBATCH")]
    assert "#SBATCH --requeue" in options
    # Without "B:" the signal goes to the job's steps, not to the batch script.
    assert any(line.startswith("#SBATCH --signal=TERM@") for line in options)


def tpu_host(tmp_path: Path, ended: int) -> tuple[Path, Path]:
    """A directory of programs whose gcloud runs ssh commands here, and the host's home."""
    home = tmp_path / "home"
    program(home / "stepdiff/.venv/bin/stepdiff", f'echo "$# $*"; sleep 0.3; exit {ended}')
    # Arguments of ssh: ... --command COMMAND.
    program(tmp_path / "bin/gcloud", f'cd {home}; [[ $4 == ssh ]] && exec bash -c "${{@: -1}}"')
    return tmp_path / "bin", home / "stepdiff"


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_work_on_tpu_hosts_outlives_the_connection_and_tells_how_it_ended(tmp_path, command):
    bin, directory = tpu_host(tmp_path, 75)
    flags = ("--weights.llama", "a b's")
    done = run(TPU_VM, command, *flags, bin=bin, CONFIG="stepdiff_70b@v5e", RUNS="/shared runs")
    assert done.returncode == 0, done.stderr
    wait_until((directory / "train.code").exists)
    assert (directory / "train.log").read_text() == (
        f"6 {command} stepdiff_70b@v5e --loop.run-directory /shared runs/stepdiff_70b "
        "--weights.llama a b's\n"
    )
    assert "exit code: 75" in run(TPU_VM, "status", bin=bin).stdout


def test_stop_lets_training_on_tpu_hosts_save_and_keeps_its_exit_code(tmp_path):
    bin, directory = tpu_host(tmp_path, 0)
    saving = "trap 'sleep 0.3; exit 75' TERM; echo on; while :; do sleep 0.05; done"
    program(directory / ".venv/bin/stepdiff", saving)
    assert run(TPU_VM, "train", bin=bin, RUNS="/runs").returncode == 0
    wait_until(lambda: (directory / "train.log").read_text() == "on\n")
    assert "none, it runs" in run(TPU_VM, "status", bin=bin).stdout
    assert run(TPU_VM, "stop", bin=bin).returncode == 0
    wait_until((directory / "train.code").exists)
    assert "exit code: 75" in run(TPU_VM, "status", bin=bin).stdout


def wait_until(there, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not there() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert there()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "usage: "),
        (("fly",), "usage: "),
        (("train",), "RUNS is empty"),
        (("install",), "REPOSITORY"),
    ],
)
def test_tpu_script_says_what_is_missing(tmp_path, arguments, message):
    bin, _ = tpu_host(tmp_path, 0)
    done = run(TPU_VM, *arguments, bin=bin)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("path", JOBSETS, ids=lambda path: path.stem)
def test_job_set_has_the_fields_that_kubernetes_knows(path):
    document = yaml.safe_load(path.read_text())
    understood = JobsetV1alpha2JobSet.from_dict(document)
    # What the models do not know they drop.
    assert plain(understood.to_dict()) == plain(document)


@pytest.mark.parametrize("path", JOBSETS, ids=lambda path: path.stem)
def test_job_set_starts_again_what_was_saved_uncounted_and_never_bad_input(path):
    spec = yaml.safe_load(path.read_text())["spec"]
    (rule,) = spec["failurePolicy"]["rules"]
    assert (rule["action"], rule["onJobFailureReasons"]) == ("FailJobSet", ["PodFailurePolicy"])
    assert spec["failurePolicy"]["maxRestarts"] > 0
    (job,) = spec["replicatedJobs"]
    pods = job["template"]["spec"]
    actions = {
        code: rule["action"]
        for rule in pods["podFailurePolicy"]["rules"]
        for code in rule["onExitCodes"]["values"]
    }
    assert actions == {2: "FailJob", 75: "Ignore"}
    # Kubernetes takes these rules only so.
    assert pods["template"]["spec"]["restartPolicy"] == "Never"
    # Any other exit code fails the job at once, for all hosts are needed.
    assert pods["backoffLimit"] == 0
    (container,) = pods["template"]["spec"]["containers"]
    for rule in pods["podFailurePolicy"]["rules"]:
        assert rule["onExitCodes"]["containerName"] == container["name"]


@pytest.mark.parametrize("path", JOBSETS, ids=lambda path: path.stem)
def test_job_set_passes_what_its_controller_asks_beyond_the_schema(path):
    document = yaml.safe_load(path.read_text())
    # kubernetes-sigs/jobset, pkg/webhooks/jobset_webhook.go: names of rules, and of pods.
    for rule in document["spec"]["failurePolicy"]["rules"]:
        assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", rule["name"])
    for job in document["spec"]["replicatedJobs"]:
        spec = job["template"]["spec"]
        assert spec["completions"] == spec["parallelism"]
        last = f"{job['replicas'] - 1}-{spec['completions'] - 1}-abcde"
        pod = f"{document['metadata']['name']}-{job['name']}-{last}"
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", pod)


def plain(value):
    """Without empty fields, and numbers as strings."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value)
