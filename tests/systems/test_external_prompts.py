"""What models of transformers are told: the paper's words around the clips, and the times."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from stepdiff_jax.systems.external_prompts import (
    ChatPrompter,
    IdeficsPrompter,
    LlavaPrompter,
    Shown,
    clip_metadata,
)
from stepdiff_jax.systems.external_scores import answer_tokens
from stepdiff_jax.systems.language import Asked

PAIR = Asked(("a", "b"), "what differs")
FIRST = (
    "You are a helpful AI assistant that answers questions about a pair of videos. Answer in a "
    "single sentence. Here is the first video:"
)


class Template:
    """As a processor's chat template: texts as they are, `<...>` for the rest."""

    def apply_chat_template(self, messages, add_generation_prompt):
        assert add_generation_prompt
        ((_, turn),) = [(one["role"], one["content"]) for one in messages]
        return "".join(one.get("text", f"<{one['type']}>") for one in turn) + "\nassistant:"


def test_the_pair_stands_in_the_words_of_the_paper():
    llava, idefics = LlavaPrompter(None).text(PAIR), IdeficsPrompter(None).text(PAIR)
    shown = f"{FIRST} <video:a>. Here is the second video: <video:b>. what differs"
    assert llava == f"USER: {shown} ASSISTANT:"
    assert idefics == f"User: {shown}<end_of_utterance>\nAssistant:"


@pytest.mark.parametrize("prompter", [LlavaPrompter(None), ChatPrompter(Template(), True)])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_every_clip_is_named_once_and_in_order(prompter, count):
    clips = tuple("abcd"[:count])
    text = prompter.text(Asked(clips, "what differs"))
    places = [text.index(f"<video:{clip}>") for clip in clips]
    assert places == sorted(places)
    assert text.count("<video:") == count
    assert text.index("what differs") > max(places, default=-1)


def test_metadata_have_the_times_of_frames_that_are_not_evenly_spaced():
    shown = Shown([np.zeros((2, 2, 3), np.uint8)] * 4, [7.0, 7.5, 9.25, 10.0])
    found = clip_metadata(shown)
    times = np.array(found["frames_indices"]) / found["fps"]
    np.testing.assert_allclose(times, [0, 0.5, 2.25, 3.0], atol=1e-3)
    rate = len(shown.times) / found["duration"]
    assert rate == pytest.approx(1.0)  # three seconds between four frames
    assert found["total_num_frames"] / found["fps"] == pytest.approx(found["duration"])


def test_a_single_frame_has_a_time():
    found = clip_metadata(Shown([np.zeros((2, 2, 3), np.uint8)], [7.0]))
    assert found["frames_indices"] == [0]
    assert found["duration"] > 0


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level, so that a word with a space before it is another token."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    texts = ["Assistant: YES", "assistant\nYES", "Assistant: the salt", "[/INST]the salt"] * 9
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="[/INST]")


@pytest.mark.parametrize(
    ("prompt", "first"),
    [
        ("what\nAssistant:", "ĠYES"),
        ("what\nassistant\n", "YES"),
        ("[INST] what [/INST]", "YES"),
        ("", "YES"),
    ],
)
def test_an_answer_has_the_tokens_that_follow_the_prompt(tokenizer, prompt, first):
    tokens = answer_tokens(tokenizer, prompt, "YES")
    assert tokenizer.convert_ids_to_tokens(tokens) == [first]
    longer = answer_tokens(tokenizer, prompt, "the salt")
    assert tokenizer.decode(longer).strip() == "the salt"
