"""docs/your_videos.md as a newcomer walks it: its commands as written, on ten videos."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from stepdiff_jax.config import Experiment

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/your_videos.md"
SECONDS, RATE = 9, 4


def blocks(language: str) -> list[str]:
    """The document's code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    for number in range(1, 11):
        with av.open(str(tmp_path / f"videos/{number:02}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for time in range(SECONDS * RATE):
                image = np.full((48, 64, 3), 20 * number, np.uint8)
                image[:, time : time + 8] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode(None))
    return tmp_path


def test_the_commands_lead_from_ten_videos_to_answers(workplace):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    environment.pop("XLA_FLAGS", None)  # one device, as a newcomer has
    said = []
    for block in blocks("sh"):
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    imported, packed, _, evaluated, compared, steps = said
    assert 'pairs.jsonl: {"in": 5, "out": 5' in imported
    assert 'conversations.jsonl: {"in": 2, "out": 2' in imported
    assert "data: 5 pairs from pairs.jsonl\n" in packed
    assert "data: 2 conversations from conversations.jsonl\n" in packed
    assert '"clips": 2' in evaluated
    predictions = list((workplace / "run/predictions").rglob("diffcap.jsonl"))
    assert [len(path.read_text().splitlines()) for path in predictions] == [2]
    results = json.loads((workplace / "run/results.json").read_text())
    assert "diffcap" in json.dumps(results)
    assert compared.strip()
    assert 'records: {"in": 3, "out": 3, "dropped": {}, "counts": {"full match": 3, "wi' in steps
    assert (workplace / "steps/records/candidates.jsonl").read_text().count("\n") == 2
    assert "validation" in (workplace / "run/metrics.jsonl").read_text()


def test_the_config_for_your_own_weights_is_an_experiment():
    (code,) = blocks("python")
    names: dict = {}
    exec(code, names)
    assert isinstance(names["experiment"](), Experiment)
