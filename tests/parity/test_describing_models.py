"""Captioner and detector on tiny random models that transformers makes, saved and loaded."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.text.describe.torch_models import TransformersDetector
from external_models import TINY, WORDS, fast_tokenizer, write_llava
from stepdiff_jax.inference.captioners.base import Clip
from stepdiff_jax.inference.captioners.external import TransformersCaptioner

pytestmark = pytest.mark.parity
pytest.importorskip("torch")

CLIP = Clip("v_0_8", np.random.default_rng(0).integers(0, 255, (8, 40, 56, 3), np.uint8))


def write_owl(path: Path) -> None:
    import torch
    from transformers import (
        Owlv2Config,
        Owlv2ForObjectDetection,
        Owlv2ImageProcessor,
        Owlv2Processor,
    )

    torch.manual_seed(0)
    config = Owlv2Config(
        text_config={"vocab_size": len(WORDS), "max_position_embeddings": 16, "eos_token_id": 3}
        | TINY,
        vision_config={"image_size": 32, "patch_size": 8, **TINY},
        projection_dim=16,
    )
    model = Owlv2ForObjectDetection(config)
    for part in (model.class_head.logit_scale, model.class_head.logit_shift):
        torch.nn.init.zeros_(part.weight)  # random ones saturate the scores
    model.save_pretrained(path)
    images = Owlv2ImageProcessor(size={"height": 32, "width": 32})
    Owlv2Processor(images, fast_tokenizer(length=16)).save_pretrained(path)


def test_captioner_answers_about_frames(tmp_path):
    write_llava(tmp_path)
    captioner = TransformersCaptioner.load(tmp_path)
    captions = captioner.caption(CLIP)
    assert captions == captioner.caption(CLIP)
    assert len(captions.actions) <= 2
    assert captions.actions or captions.objects
    assert not any("image" in text or "doing" in text.split()[:1] for text in captions.actions)


def test_detector_scores_each_phrase_by_itself(tmp_path):
    write_owl(tmp_path)
    detector = TransformersDetector.load(tmp_path)
    scores = detector.scores(CLIP, ["word1", "word2", "word1"])
    assert all(0 <= score <= 1 for score in scores)
    assert np.isclose(scores[0], scores[2])
    assert not np.isclose(scores[0], scores[1], rtol=0, atol=1e-9)
    assert np.isclose(detector.scores(CLIP, ["word2"])[0], scores[1], rtol=0, atol=1e-5)
    assert detector.scores(CLIP, []) == []
