"""Systems of ours are told apart by what a run was trained on."""

import dataclasses
import re
from pathlib import Path

import pytest

from configs.kitchen import experiment
from stepdiff_jax.config import Source
from stepdiff_jax.config_files import to_dict
from stepdiff_jax.data.packed_clips import PackedClips
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.identity import listing_digests
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.files import write_json
from stepdiff_jax.systems.socratic import Socratic
from stepdiff_jax.systems.trained import Interleaved, SingleVideos, StepDiff


def opening(run: Path, *sources: str) -> Opening:
    """For a run directory, without weights, of a mixture of these."""
    kitchen = experiment()
    data = dataclasses.replace(kitchen.data, mixture=tuple(map(Source, sources)))
    loop = dataclasses.replace(kitchen.loop, run_directory=str(run))
    trained = dataclasses.replace(kitchen, data=data, loop=loop)
    write_json(run / "config.json", to_dict(trained))
    return Opening(trained, None, PackedClips(run / "data", ["a_0_1"]))


@pytest.mark.parametrize(
    ("system", "sources", "wanted"),
    [
        (StepDiff, ("sequences",), "'pairs'"),
        (StepDiff, ("single",), "'pairs'"),
        (SingleVideos, ("sequences",), "'single' and not on 'pairs'"),
        (SingleVideos, ("single", "pairs"), "'single' and not on 'pairs'"),
        (Interleaved, ("single",), "'sequences' and not on 'pairs'"),
        (Interleaved, ("pairs", "sequences"), "'sequences' and not on 'pairs'"),
    ],
)
def test_a_run_on_something_else_is_refused(tmp_path, system, sources, wanted):
    with pytest.raises(InputError) as caught:
        system().open(opening(tmp_path, *sources))
    assert str(caught.value) == (
        f"{tmp_path}: was trained on {', '.join(sources)}; --run must be a run on {wanted}"
    )


@pytest.mark.parametrize(
    ("system", "source"),
    [(StepDiff, "pairs"), (SingleVideos, "single"), (Interleaved, "sequences")],
)
def test_a_run_on_what_it_needs_is_looked_for_further(tmp_path, system, source):
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}/data/.*no dataset here"):
        system().open(opening(tmp_path, source))


def test_another_run_is_named_by_its_directory(tmp_path):
    opening(tmp_path / "other", "single")
    own = opening(tmp_path / "own", "pairs")
    with pytest.raises(InputError, match=r"other: was trained on single; "):
        StepDiff(run=tmp_path / "other").open(own)


@pytest.mark.parametrize(
    "options",
    [lambda run: StepDiff(run=run), lambda run: Socratic(captioner_run=run)],
    ids=["run", "captioner"],
)
def test_what_an_evaluation_writes_to_a_run_is_not_what_its_answers_depend_on(tmp_path, options):
    run = tmp_path / "run"
    write_json(run / "config.json", {})
    write_json(run / "checkpoints/2/state.json", {})
    read = options(run).reads(experiment())
    before = listing_digests(read)
    write_json(run / "systems/stepdiff/results.json", {})
    assert listing_digests(read) == before
    write_json(run / "checkpoints/4/state.json", {})
    assert listing_digests(read) != before
