"""Which captioner and which scores the describe stage uses, by its command's options."""

from pathlib import Path

import numpy as np

from data_prep.clip_frames import FRAMES
from data_prep.describing.base import Captioner, Scorer
from data_prep.describing.files import CaptionsFile, ScoresFile
from data_prep.describing.stage import Sources
from data_prep.language_models.base import LanguageModel
from data_prep.text_stage import Row
from stepdiff_jax.data.video import sample_frames
from stepdiff_jax.errors import InputError


def open_sources(
    language_model: LanguageModel,
    *,
    root: Path,
    captions: str = "",
    captioner: str = "",
    object_scores: str = "",
    detector: str = "",
    action_scores: str = "",
) -> Sources:
    """The backends that are named by files (captions, scores) or models (captioner, detector).

    Args:
        root: directory that the videos' paths are relative to.
    Raises:
        InputError: both a file and a model for the same, or a model that cannot be loaded.
    """
    for file, model, name in (
        (captions, captioner, "captioner"),
        (object_scores, detector, "detector"),
    ):
        if file and model:
            raise InputError(f"field {name!r}: {model!r} and the file {file!r} exclude each other")
    chosen_captioner: Captioner | None = CaptionsFile(Path(captions)) if captions else None
    chosen_detector: Scorer | None = ScoresFile(Path(object_scores)) if object_scores else None
    try:
        if captioner:
            from data_prep.describing.torch_models import TransformersCaptioner

            chosen_captioner = TransformersCaptioner.load(captioner)
        if detector:
            from data_prep.describing.torch_models import TransformersDetector

            chosen_detector = TransformersDetector.load(detector)
    except (ImportError, OSError, ValueError) as error:
        wrong = " ".join(str(error).split())
        raise InputError(f"{captioner or detector}: cannot be loaded: {wrong}") from error

    def frames(row: Row) -> np.ndarray:
        return sample_frames(root / row["video"], row["start"], row["end"], FRAMES).frames

    return Sources(
        language_model,
        chosen_captioner,
        chosen_detector,
        ScoresFile(Path(action_scores)) if action_scores else None,
        frames if captioner or detector else None,
    )
