"""Which models of transformers are accepted, before any weights are read."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.hub_errors import unloadable
from stepdiff_jax.systems.external_options import ExternalWeights


@pytest.mark.parametrize(
    ("weights", "revision", "message"),
    [
        ("a/b", "", "--weights a/b: a name on the hub needs --revision, a commit or a tag, got ''"),
        ("a/b", "main", "--weights a/b: a name on the hub needs --revision"),
        ("gpt", "HEAD", "--weights gpt: a name on the hub needs --revision"),
        ("./a", "1", "--weights ./a: no such directory"),
        ("/a", "", "--weights /a: no such directory"),
        ("a/b/c", "1", "--weights a/b/c: no such directory"),
        ("~/a", "1", "--weights ~/a: no such directory"),
    ],
)
def test_names_without_a_pinned_revision_are_refused(weights, revision, message):
    with pytest.raises(InputError) as caught:
        ExternalWeights(weights, revision).check((), "multi_video")
    assert str(caught.value).startswith(message)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from stepdiff_jax.systems.external_systems import MultiVideo
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import Opening
class Clips: ids = ()
try:
    MultiVideo(sys.argv[1]).open(Opening(None, None, Clips()))
except InputError as error:
    print(error)
"""


def test_without_torch_the_message_says_what_to_install(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"}))
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    expected = '--system multi_video needs PyTorch: pip install "stepdiff-jax[torch]"'
    assert ended.stdout.strip() == expected, ended.stderr


def raised(*errors: Exception) -> Exception:
    """The first error, raised from the next, and so on."""
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_a_hub_that_cannot_be_reached_is_no_fault_of_the_name():
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RevisionNotFoundError,
    )

    def answered(kind: type[Exception], status: int) -> Exception:
        response: Any = SimpleNamespace(status_code=status, headers={}, request=None)
        return kind("answered", response=response)

    outer = OSError("We couldn't connect\nto load the files")
    lost = unloadable("--weights a/b", raised(outer, LocalEntryNotFoundError("not cached")))
    assert isinstance(lost, OutsideFailure)
    assert str(lost) == (
        "--weights a/b: We couldn't connect to load the files; starting again resumes"
    )
    for kind, status, expected in (
        (HfHubHTTPError, 503, OutsideFailure),
        (HfHubHTTPError, 403, InputError),
        (RevisionNotFoundError, 404, InputError),
    ):
        error = unloadable("--weights a/b", raised(OSError("no"), answered(kind, status)))
        assert type(error) is expected
    assert isinstance(unloadable("a", OSError(28, "No space left on device")), OutsideFailure)
    assert isinstance(unloadable("a", ValueError("no config")), InputError)
