"""Beam search gives the tokens and scores of transformers' `generate(num_beams=K)`."""

import numpy as np
import pytest

from references.models import RESAMPLER, tokenizer, vclm
from stepdiff_jax.data.prompts import Conversation, Text, Turn, question_branch
from stepdiff_jax.inference.beams import search
from stepdiff_jax.inference.requests import Request, group_requests, lay_out_rows

pytestmark = pytest.mark.parity

QUESTIONS = (
    "what is chopped",
    "what is the main difference",
    "the person chops a red onion",
    "YES or NO",
    "a green onion. YES",
)


@pytest.mark.parametrize("beams", [2, 4])
@pytest.mark.parametrize("ends", [(2,), tuple(range(30, 150)), tuple(range(3, 200))])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_tokens_and_scores_are_those_of_transformers(beams, ends, penalty):
    import torch

    from references.transformers_llama import build

    model, new_tokens = vclm(), 9
    requests = [
        Request(Conversation((Turn("system"), Text("Answer.")), (question_branch(question),)))
        for question in QUESTIONS
    ]
    groups = group_requests(requests, tokenizer(), None, 1)
    length = max(group.rounded_length for group in groups)
    rows, _ = lay_out_rows(
        [group.example for group in groups], len(groups) + 1, length, 1, RESAMPLER.latents
    )
    latents = np.zeros((len(groups) + 1, 1, RESAMPLER.latents, 32), np.float32)
    stops = np.array(ends, np.int32)
    tokens, scores = search(
        model, rows, latents, stops, np.float32(penalty), beams=beams, new_tokens=new_tokens
    )
    theirs = build(model.llama.config)
    lengths = set()
    for group, ours, score in zip(groups, np.asarray(tokens), np.asarray(scores)):
        prompt = group.example.rows.tokens[: group.example.length]
        with torch.no_grad():
            found = theirs.generate(
                torch.from_numpy(prompt[None]).long(),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                num_beams=beams,
                do_sample=False,
                max_new_tokens=new_tokens,
                eos_token_id=list(ends),
                pad_token_id=ends[0],
                length_penalty=penalty,
                return_dict_in_generate=True,
                output_scores=True,
            )
        expected = found.sequences[0, len(prompt) :].numpy()
        lengths.add(len(expected))
        np.testing.assert_array_equal(ours[: len(expected)], expected)
        assert (ours[len(expected) :] == ends[0]).all()
        np.testing.assert_allclose(score, float(found.sequences_scores[0]), rtol=1e-4)
    if len(ends) > 150:
        assert min(lengths) < new_tokens, "no answer ends early"
