"""Any model of transformers with a chat template as a system, by the forms that processors take."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from external_chat_models import write_gemma3
from external_models import write_llava
from external_video_models import write_internvl, write_qwen2_5_vl, write_smolvlm
from random_clips import CLIPS, TIMES, RandomClips
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.systems.external_options import ExternalWeights
from stepdiff_jax.systems.external_prompts import Shown
from stepdiff_jax.systems.external_systems import Llava, MultiVideo
from stepdiff_jax.systems.language import Asked

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the products are tiny

FRAMES = RandomClips(40, 40).stored
SHOWN = [0, 2, 5, 7]
"""Of 8 frames, 4."""

QUESTION = "what is the main difference between these videos"


def works(package: str) -> bool:
    """torchvision is there, and built for this torch."""
    try:
        importlib.import_module(package)
    except (ImportError, RuntimeError):
        return False
    return True


def kind(write: Callable[[Path], Path], *packages: str) -> Any:
    """A parameter that is skipped without the packages that its processor needs."""
    missing = [package for package in packages if not works(package)]
    marks = pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")
    return pytest.param(write, marks=marks, id=write.__name__.removeprefix("write_"))


KINDS = [
    kind(write_gemma3),
    kind(write_qwen2_5_vl, "torchvision"),
    kind(write_internvl, "torchvision"),
    kind(write_smolvlm, "torchvision", "num2words"),
]


@pytest.fixture(scope="module", params=KINDS)
def opened(request, tmp_path_factory) -> Any:
    """A system, the model and processor as transformers loads them, and what was read."""
    path = request.param(tmp_path_factory.mktemp("model"))
    clips = RandomClips(40, 40)
    system = MultiVideo(str(path), frames=4, new_tokens=5).open(Opening(None, None, clips))
    model, processor = ExternalWeights(str(path)).load()
    return SimpleNamespace(system=system, model=model, processor=processor, clips=clips)


def prompt_of(processor: Any, asked: Asked, answer: list[int]) -> Any:
    """What the processor makes of the same question when it decides on the form itself."""
    form = "video" if getattr(processor, "video_processor", None) else "image"
    texts = ("Here is the first video:", ". Here is the second video:", f". {asked.question}")
    system = "You are a helpful AI assistant that answers questions about a pair of videos. "
    texts = (f"{system}Answer in a single sentence. {texts[0]}", *texts[1:])
    turn: list[dict[str, Any]] = [{"type": "text", "text": texts[0]}]
    for clip, text in zip(asked.clips, texts[1:], strict=True):
        frames = FRAMES[CLIPS.index(clip)][SHOWN]
        if form == "video":
            turn.append({"type": "video", "video": frames})
        else:
            turn += [{"type": "image", "image": _picture(frame)} for frame in frames]
        turn.append({"type": "text", "text": text})
    given: dict[str, Any] = {}
    if form == "video":
        given = {"do_sample_frames": False, "video_metadata": [[METADATA] * len(asked.clips)]}
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": turn}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs=given,
    )
    for name in ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"):
        if name in inputs:
            extra = answer if name == "input_ids" else [int(name == "attention_mask")] * len(answer)
            inputs[name] = torch.cat([inputs[name], torch.tensor([extra]).long()], 1)
    return inputs


METADATA = {
    "total_num_frames": 4667,
    "fps": 1000,
    "frames_indices": [0, 1000, 2500, 3500],
    "duration": 4.667,
}


def _picture(frame: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(frame)


def test_answers_are_those_of_the_model_with_its_own_chat_template(opened):
    asked = [Asked(CLIPS[:2], QUESTION), Asked(CLIPS[1:], QUESTION)]
    for one, found in zip(asked, opened.system.model.write(asked), strict=True):
        inputs = prompt_of(opened.processor, one, [])
        output = opened.model.generate(**inputs, max_new_tokens=5, do_sample=False)
        new = output[0, inputs["input_ids"].shape[1] :]
        text = opened.processor.decode(new, skip_special_tokens=True).strip()
        assert found.text == text
        assert found.tokens == len([token for token in new.tolist() if token != 3])


def test_likelihoods_are_those_of_the_model_with_its_own_chat_template(opened):
    answers = ("yes", "no word1 word2", "no")
    asked = [Asked(CLIPS[:2], QUESTION, answer) for answer in answers]
    found = opened.system.model.likelihoods(asked)
    for one, likelihood in zip(asked, found, strict=True):
        tokens = opened.processor.tokenizer.encode(one.answer, add_special_tokens=False)
        logits = opened.model(**prompt_of(opened.processor, one, tokens)).logits[0].float()
        before = logits[-len(tokens) - 1 : -1].log_softmax(-1)
        total = before[torch.arange(len(tokens)), torch.tensor(tokens)].sum()
        assert likelihood.total == pytest.approx(float(total), abs=1e-4)
        assert likelihood.tokens == len(tokens)
    assert len({round(one.total, 3) for one in found}) == 3


def test_clips_are_read_once_for_the_questions_about_them(opened):
    before = len(opened.clips.read)
    opened.system.model.likelihoods(
        [Asked((CLIPS[0], clip), QUESTION, "yes") for clip in CLIPS for _ in range(2)]
    )
    assert len(opened.clips.read) - before <= len(CLIPS)


def test_the_start_token_is_there_once(tmp_path):
    path = write_gemma3(tmp_path)
    system: Any = MultiVideo(str(path), frames=1).open(Opening(None, None, RandomClips(40, 40)))
    prompter = system.model.prompter
    ids = prompter.inputs(Asked((), "what is"), [])["input_ids"][0].tolist()
    assert ids.count(3) == 1
    one = prompter.inputs(Asked(CLIPS[:1], "what is"), [Shown(FRAMES[0][:1], TIMES[:1])])
    assert one["input_ids"][0].tolist().count(3) == 1


def test_weights_that_lack_tensors_are_refused(tmp_path):
    """Transformers would make them up."""
    from safetensors.torch import load_file, save_file

    path: Path = write_llava(tmp_path / "llava")
    file = path / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if "multi_modal_projector" in name)
    save_file({one: tensors[one] for one in tensors if one != name}, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"1 of the model's tensors are missing, such as ") as got:
        Llava(str(path)).open(Opening(None, None, RandomClips(40, 40)))
    assert "\n" not in str(got.value)


def test_a_model_with_code_of_its_own_is_refused_without_a_question(tmp_path, capsys):
    auto = '"auto_map": {"AutoConfig": "configuration_own.OwnConfig"}'
    (tmp_path / "config.json").write_text('{"model_type": "own", ' + auto + "}")
    with pytest.raises(InputError, match="cannot be loaded: ") as got:
        MultiVideo(str(tmp_path)).open(Opening(None, None, RandomClips(40, 40)))
    assert "\n" not in str(got.value)
    assert "y/N" not in capsys.readouterr().out
