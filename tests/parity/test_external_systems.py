"""Systems that are models of transformers, against the models' own generation and forward pass."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from external_models import write_blip2, write_idefics, write_llava
from random_clips import CLIPS, TIMES, RandomClips
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank
from stepdiff_jax.evaluation.system import ChoiceQuestion, Opening, Written
from stepdiff_jax.inference.captioners.external import TransformersCaptioner
from stepdiff_jax.systems.external_options import ExternalWeights
from stepdiff_jax.systems.external_prompts import Shown
from stepdiff_jax.systems.external_systems import External, Idefics, Llava, MultiVideo
from stepdiff_jax.systems.language import Asked
from stepdiff_jax.systems.socratic_captions import caption_clips, captions_path

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the products are tiny

FRAMES = RandomClips(24, 32).stored
QUESTION = "what is the main difference between these videos"


KINDS = {
    "llava": (Llava, write_llava),
    "idefics": (Idefics, write_idefics),
    "chat": (MultiVideo, write_llava),
}


@pytest.fixture(scope="module", params=KINDS)
def opened(request, tmp_path_factory) -> Any:
    """A system, its options, and its model and processor as transformers loads them."""
    options, write = KINDS[request.param]
    path = write(tmp_path_factory.mktemp(request.param))
    own = options(str(path), frames=2, new_tokens=5)
    system = own.open(Opening(None, None, RandomClips(24, 32)))
    model, processor = ExternalWeights(str(path)).load()
    return SimpleNamespace(system=system, options=own, model=model, processor=processor)


def inputs_of(opened: Any, asked: Asked) -> Any:
    shown = [Shown(FRAMES[CLIPS.index(clip)][[0, 7]], TIMES[[0, 7]]) for clip in asked.clips]
    return opened.options.prompter(opened.processor).inputs(asked, shown)


def test_answers_are_those_of_generate(opened):
    asked = [Asked(CLIPS[:2], QUESTION), Asked(CLIPS[1:], QUESTION), Asked(CLIPS[:1], "what is")]
    written = opened.system.model.write(asked)
    for one, found in zip(asked, written, strict=True):
        inputs = inputs_of(opened, one)
        output = opened.model.generate(**inputs, max_new_tokens=5, do_sample=False)
        new = output[0, inputs["input_ids"].shape[1] :]
        ended = new.tolist().index(3) if 3 in new.tolist() else None
        assert found.text == opened.processor.decode(new[:ended], skip_special_tokens=True)
        assert (found.tokens, found.cut) == (len(new[:ended]), ended is None)
        (prompt,) = found.prompts
        assert [prompt.count(f"<video:{clip}>") for clip in one.clips] == [1] * len(one.clips)
    assert len({one.prompts for one in written}) == 3


def test_likelihoods_are_those_of_the_forward_pass_token_by_token(opened):
    answers = ("yes", "no word1 word2")
    asked = [Asked(CLIPS[:2], QUESTION, answer) for answer in answers]
    for one, found in zip(asked, opened.system.model.likelihoods(asked), strict=True):
        inputs, total = inputs_of(opened, one), 0.0
        tokens = opened.processor.tokenizer.encode(one.answer, add_special_tokens=False)
        for token in tokens:
            logits = opened.model(**inputs).logits[0, -1]
            total += float(torch.log_softmax(logits.float(), -1)[token])
            longer = {name: torch.cat([inputs[name], last], 1) for name, last in tail(inputs)}
            longer["input_ids"][0, -1] = token
            inputs = {**inputs, **longer}
        assert found.tokens == len(tokens)
        assert found.total == pytest.approx(total, abs=1e-5)


def tail(inputs: Any) -> list[tuple[str, Any]]:
    """What stands beside the last token."""
    names = ("input_ids", "attention_mask", "image_attention_mask", "mm_token_type_ids")
    return [(name, inputs[name][:, -1:]) for name in names if name in inputs]


def test_all_tasks(opened):
    pairs = ((CLIPS[0], CLIPS[1]), (CLIPS[1], CLIPS[0]), (CLIPS[1], CLIPS[2]), CLIPS[:2])
    (written,) = opened.system.caption([DiffCap(CLIPS[0], CLIPS[1], "Actions", ("a",))])
    assert isinstance(written, Written)
    (chosen,) = opened.system.choose([DiffMCQ("no word3", "Actions", pairs, pairs[0])])
    assert chosen.scores[0] == pytest.approx(chosen.scores[3], abs=1e-6)
    assert len(set(np.round(chosen.scores[:3], 4))) == 3
    targets = (CLIPS[1], CLIPS[2], CLIPS[0], CLIPS[1])
    (ranked,) = opened.system.rank([DiffRank(CLIPS[0], targets, "Actions", (1, 2, 3, 4))])
    assert len(ranked.scores) == len(ranked.prompts) == 4
    question = ChoiceQuestion(CLIPS, "", "what is", ("word1", "word2"), 0)
    (answered,) = opened.system.answer([question])
    assert answered.tokens == (1, 1)
    assert opened.system.settings["class"] == type(opened.model).__name__


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda path: Idefics(path), "model_type of config.json is 'llava', but --system int"),
        (lambda path: Llava(path, "abc"), "--revision abc: --weights .* is a directory, which"),
        (lambda path: Llava(path, device="warp"), "cannot be loaded: "),
        (lambda path: Llava(f"{path}/none"), "no such directory"),
    ],
)
def test_wrong_weights_are_one_line(tmp_path, options, message):
    path = write_llava(tmp_path / "llava")
    with pytest.raises(InputError, match=message) as caught:
        options(str(path)).open(Opening(None, None, RandomClips(24, 32)))
    assert "\n" not in str(caught.value)


def test_a_model_without_a_chat_template_is_refused(tmp_path):
    path = write_llava(tmp_path, template="")
    for stored in path.glob("*chat_template*"):
        stored.unlink()
    with pytest.raises(InputError, match="its processor has no chat template"):
        MultiVideo(str(path)).open(Opening(None, None, RandomClips(24, 32)))


def test_questions_that_do_not_fit_are_refused(tmp_path):
    path = write_llava(tmp_path, positions=40)
    system: Any = Llava(str(path), frames=4, new_tokens=5).open(
        Opening(None, None, RandomClips(24, 32))
    )
    with pytest.raises(InputError, match=r"takes .* tokens, but the model reads 40; show fewer"):
        system.model.write([Asked(CLIPS[:2], QUESTION)])


def test_options_say_what_the_model_is():
    for options in (Llava, Idefics, MultiVideo):
        assert issubclass(options, External)
        assert options.name


@pytest.mark.parametrize("write", [write_llava, write_blip2], ids=["llava", "blip2"])
def test_captions_are_made_once(tmp_path, write):
    path: Path = write(tmp_path / "model")
    model, processor = ExternalWeights(str(path)).load()
    captioner, clips = TransformersCaptioner(model, processor, new_tokens=3), RandomClips(24, 32)
    kept = captions_path(tmp_path, [str(path)])
    captions = caption_clips(kept, clips, captioner)
    assert list(captions) == list(CLIPS)
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join(lines[:2]) + "\n" + lines[2][:9])  # killed while it wrote
    again = RandomClips(24, 32)
    assert caption_clips(kept, again, captioner) == captions
    assert again.read == [CLIPS[2]]
    assert kept.read_text().splitlines() == lines
