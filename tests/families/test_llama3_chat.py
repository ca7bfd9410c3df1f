"""Llama-3's conversations: the ids of transformers' chat template around the video slots."""

import numpy as np
import pytest
import transformers

from llama3_files import SPECIAL, TEMPLATE, TEMPLATE_3_1, write_llama3_tokenizer
from references.models import SENTENCES
from stepdiff_jax.data.chat_file import check_chat_template
from stepdiff_jax.data.packing import lay_out
from stepdiff_jax.data.prompts import (
    Conversation,
    Text,
    Turn,
    answer_text,
    difference_question,
    pair_conversation,
    single_conversation,
)
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.families.common.find import find_family

LATENTS = 3
SLOT = "<VIDEO>"
WORDS = (
    "You are a helpful AI assistant that answers questions about a pair of videos. Answer in a "
    f"single sentence. Here is the first video:{SLOT}. Here is the second video:{SLOT}."
)
ANYMAL = (
    "You are a multimodal assistant. Designed to provide direct answers to users' video-related "
    f"questions. \n\n Here is the video: {SLOT}."
)
QUESTIONS = [
    (difference_question("Tools/Equipment"), "a red knife, then 2 blue ones"),
    ("  what is cut?\n", "sauté 切る 🔪"),
    ("say </s> and <|eot_id|> <|start_header_id|>", "1234 <|end_of_text|>"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("llama3")
    write_llama3_tokenizer(path, SENTENCES * 20)
    return path


@pytest.fixture(scope="module")
def tokenizer(directory):
    return Tokenizer(directory / "tokenizer.json", "llama3")


def by_transformers(directory, system: str, question: str, answer: str) -> list[int]:
    """Ids of the rendered template, cut at the slots; -1 stands for a latent.

    Names of special tokens in the user's text are put in after the template has been tokenised
    around them: transformers itself would read them as special tokens.
    """
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(directory)
    marks = {"user": "\N{SNOWMAN}USER", "assistant": "\N{SNOWMAN}ANSWER"}
    texts = {marks["user"]: question.strip(), marks["assistant"]: answer}
    messages = [{"role": role, "content": mark} for role, mark in marks.items()]
    rendered = theirs.apply_chat_template(
        [{"role": "system", "content": system}, *messages], tokenize=False
    )
    ids: list[int] = []
    for number, part in enumerate(rendered.split(SLOT)):
        ids += [-1] * LATENTS * (number > 0)
        ids += plain(theirs, part, texts)
    return ids


def plain(theirs, rendered: str, texts: dict[str, str]) -> list[int]:
    """Ids of a part of a rendered template: special tokens outside of `texts` only."""
    ids: list[int] = []
    text = ""
    while rendered:
        name = next((name for name in SPECIAL if rendered.startswith(name)), None)
        mark = next((mark for mark in texts if rendered.startswith(mark)), None)
        if name is not None:
            ids += [*as_text(theirs, text), theirs.convert_tokens_to_ids(name)]
            text, rendered = "", rendered.removeprefix(name)
        elif mark is not None:
            text, rendered = text + texts[mark], rendered.removeprefix(mark)
        else:
            text, rendered = text + rendered[0], rendered[1:]
    return ids + as_text(theirs, text)


def as_text(theirs, text: str) -> list[int]:
    return theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


@pytest.mark.parametrize("question, answer", QUESTIONS)
def test_a_whole_conversation_has_the_ids_of_the_published_template(
    directory, tokenizer, question, answer
):
    for system, conversation in (
        (WORDS, pair_conversation(0, 1, [(question, answer_text(answer))])),
        (ANYMAL, single_conversation(0, [(question, answer_text(answer))])),
    ):
        example = lay_out(conversation, tokenizer, LATENTS)
        ours = np.where(example.rows.visual_slot >= 0, -1, example.rows.tokens)
        assert ours.tolist() == by_transformers(directory, system, question, answer)
        targets = example.rows.tokens[example.rows.loss_mask > 0]
        assert targets[-1] == tokenizer.special("<|eot_id|>")
        assert tokenizer.decode(targets) == answer


def test_without_user_text_the_ids_are_those_of_apply_chat_template_itself(directory, tokenizer):
    """No slot and no name of a token: nothing is done by hand here."""
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(directory)
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "what is the main difference"},
        {"role": "assistant", "content": "a red onion"},
    ]
    texts = [message["content"] for message in messages]
    prefix = (Turn("system"), Text(texts[0]), Turn("user"), Text(texts[1]), Turn("assistant"))
    for asked in (True, False):
        whole = Conversation((*prefix, *(() if asked else (answer_text(texts[2]),))))
        wanted = theirs.apply_chat_template(
            messages[: 2 if asked else 3], add_generation_prompt=asked, return_dict=False
        )
        assert lay_out(whole, tokenizer, LATENTS).rows.tokens.tolist() == wanted


def test_a_second_question_follows_the_answer_as_in_the_published_template(directory, tokenizer):
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(directory)
    spoken = [("user", "what"), ("assistant", "an onion"), ("user", "which colour")]
    wanted = theirs.apply_chat_template(
        [{"role": role, "content": text} for role, text in spoken],
        add_generation_prompt=True,
        return_dict=False,
    )
    segments = [
        part
        for role, text in spoken
        for part in (Turn(role), answer_text(text) if role == "assistant" else Text(text))
    ]
    conversation = Conversation((*segments, Turn("assistant")))
    assert lay_out(conversation, tokenizer, LATENTS).rows.tokens.tolist() == wanted


@pytest.mark.parametrize("template", [TEMPLATE, TEMPLATE_3_1], ids=["3.0", "3.1"])
def test_published_templates_are_the_familys_but_for_the_dates(template, tmp_path):
    write_llama3_tokenizer(tmp_path, SENTENCES, template=template)
    check_chat_template(tmp_path, find_family("llama3"))
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "chat_template.jinja").write_text(template)
    check_chat_template(tmp_path, find_family("llama3"))
