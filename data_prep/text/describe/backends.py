"""Opens the describe stage's captioner and scorers from the options of its command."""

from pathlib import Path

import numpy as np

from data_prep.frames.decode import FRAMES
from data_prep.schema.clips import StepClip
from data_prep.text.describe.base import Scorer
from data_prep.text.describe.files import CaptionsFile, ScoresFile
from data_prep.text.describe.stage import Sources
from data_prep.text.language_models.choice import open_model
from data_prep.text.language_models.options import ModelOptions
from stepdiff_jax.data.video import sample_frames
from stepdiff_jax.errors import InputError
from stepdiff_jax.hub_errors import unloadable
from stepdiff_jax.inference.captioners.base import Captioner

CHECKPOINTS = "checkpoints"
"""Subdirectory of a run directory that a transformers model lacks."""


def open_sources(
    language_model: ModelOptions,
    *,
    root: Path,
    captions: str = "",
    captioner: str = "",
    object_scores: str = "",
    detector: str = "",
    action_scores: str = "",
    grounding: str = "",
) -> Sources:
    """Open the backends, named by files (captions, scores) or by models.

    Args:
        root: directory that video paths are relative to.
        captioner: a run directory of ours, or a transformers model (directory or name).
        detector: an OWLv2 model from transformers.
        grounding: a CONFIG, whose encoder scores actions.
    Raises:
        InputError: a backend has both a file and a model, or a model cannot be loaded.
    """
    for file_name, file, model_name, model in (
        ("captions", captions, "captioner", captioner),
        ("object-scores", object_scores, "detector", detector),
        ("action-scores", action_scores, "grounding", grounding),
    ):
        if file and model:
            raise InputError(
                f"--{file_name} {file} and --{model_name} {model} are mutually exclusive"
            )

    def frames(clip: StepClip) -> np.ndarray:
        return sample_frames(root / clip.video, clip.start, clip.end, FRAMES).frames

    return Sources(
        open_model(language_model),
        CaptionsFile(Path(captions)) if captions else _captioner(captioner),
        ScoresFile(Path(object_scores)) if object_scores else _detector(detector),
        ScoresFile(Path(action_scores)) if action_scores else _grounding(grounding),
        frames if captioner or detector or grounding else None,
    )


def _captioner(name: str) -> Captioner | None:
    if not name:
        return None
    if (Path(name) / CHECKPOINTS).is_dir():
        from stepdiff_jax.inference.captioners.own import OwnCaptioner

        return OwnCaptioner.load(Path(name))
    try:
        from stepdiff_jax.inference.captioners.external import TransformersCaptioner

        return TransformersCaptioner.load(name)
    except (ImportError, OSError, ValueError) as error:
        raise unloadable(name, error) from error


def _detector(name: str) -> Scorer | None:
    if not name:
        return None
    try:
        from data_prep.text.describe.torch_models import TransformersDetector

        return TransformersDetector.load(name)
    except (ImportError, OSError, ValueError) as error:
        raise unloadable(name, error) from error


def _grounding(config: str) -> Scorer | None:
    if not config:
        return None
    from data_prep.text.describe.grounding import InternVideoGrounding
    from stepdiff_jax.config_files import load_experiment
    from stepdiff_jax.inference.encoder import open_encoder

    return InternVideoGrounding(open_encoder(load_experiment(config)))
