"""Our own Llama and our single-video model behind the protocols of the text stages."""

import numpy as np

from data_prep.text.describe.grounding import InternVideoGrounding
from data_prep.text.language_models.base import Completion, Prompt
from data_prep.text.language_models.own import OwnLanguageModel
from references.models import ENCODER, tokenizer, vclm
from stepdiff_jax.inference.captioners.base import Clip
from stepdiff_jax.inference.captioners.own import OwnCaptioner
from stepdiff_jax.inference.encoder import Encoder

MODEL = vclm()
CLIP = Clip("v_0_8", np.random.default_rng(0).integers(0, 255, (2, 20, 24, 3), np.uint8))


def test_answers_do_not_depend_on_the_batch():
    prompts = [Prompt("what is chopped"), Prompt("the person chops a red onion, YES or NO" * 3)]
    prompts += [Prompt("a green onion", system="a helpful assistant")]
    model = OwnLanguageModel(MODEL, tokenizer(), new_tokens=5, batch_rows=2)
    answers = list(model.complete(prompts))
    assert answers == [answer for prompt in prompts for answer in model.complete([prompt])]
    assert all(isinstance(answer, Completion) for answer in answers)
    assert all(answer.prompt_tokens > 10 for answer in answers if isinstance(answer, Completion))


def test_captioner_looks_at_the_clip():
    captioner = OwnCaptioner(MODEL, tokenizer(), ENCODER, new_tokens=6)
    captions = captioner.caption(CLIP)
    assert captions == captioner.caption(CLIP)
    assert len(captions.actions) <= 1
    assert all("," not in phrase for phrase in captions.objects)


def test_grounding_is_the_cosine_of_both_features():
    def tokenize(texts):
        ids = [[1 + len(text) % 17, 3, 19, 0, 0, 0] for text in texts]
        return np.asarray(ids, np.int32)

    scorer = InternVideoGrounding(Encoder(MODEL.encoder, ENCODER, tokenize))
    one, two, same = scorer.scores(CLIP, ["stir", "stirring", "fold"])
    assert -1 <= two <= 1
    assert np.isclose(one, same)
    assert not np.isclose(one, two)
    assert scorer.scores(CLIP, []) == []
