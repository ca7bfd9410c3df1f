"""The words of the paper's prompts, and where the videos stand in them."""

from stepdiff_jax.data.chat import in_template
from stepdiff_jax.data.prompts import (
    Conversation,
    Text,
    Video,
    answer_text,
    difference_question,
    interleaved_conversation,
    pair_conversation,
    pair_prefix,
    question_branch,
    ranking_question,
    single_conversation,
)
from stepdiff_jax.families.common.find import find_family


def spell(conversation: Conversation, branch: int) -> str:
    """The conversation with one branch as Llama-2 reads it, its videos in braces."""
    chat = in_template(conversation, find_family("llama2"))
    parts = (*chat.prefix, *chat.branches[branch])
    return "".join(s.text if isinstance(s, Text) else f"{{{s.clip}}}" for s in parts)


def test_the_pair_prompt_has_the_words_of_section_3_3_in_llamas_chat_format():
    question = difference_question("Tools/Equipment")
    conversation = pair_conversation(8, 3, [(question, answer_text("a pan")), ("why", None)])
    assert spell(conversation, 0) == (
        "[INST] <<SYS>>\nYou are a helpful AI assistant that answers questions about a pair of "
        "videos. Answer in a single sentence. Here is the first video:{8}. Here is the second "
        "video:{3}.\n<</SYS>>\n\nwhat is the main difference between these videos in the category "
        "Tools/Equipment [/INST]a pan"
    )
    assert spell(conversation, 1).endswith(".\n<</SYS>>\n\nwhy [/INST]")
    assert conversation.clips == (8, 3)


def test_the_questions_of_section_3_4():
    assert ranking_question("Visuals") == (
        "do these two videos show the same Visuals? Answer YES or NO."
    )
    assert difference_question("Visuals") == (
        "what is the main difference between these videos in the category Visuals"
    )


def test_the_single_prompt_has_anymals_words():
    assert spell(single_conversation(5, [("what is it", None)]), 0) == (
        "[INST] <<SYS>>\nYou are a multimodal assistant. Designed to provide direct answers to "
        "users' video-related questions. \n\n Here is the video: {5}.\n<</SYS>>\n\nwhat is it "
        "[/INST]"
    )


def test_answers_and_narrations_alone_are_targets():
    branch = question_branch("q", answer_text("a", 0.5))
    weights = [part.loss_weight for part in branch if isinstance(part, Text)]
    assert weights == [0.0, 0.0, 0.5]
    assert branch[-1].end
    prefix = pair_prefix(Text("x"), Text("y"))
    assert all(part.loss_weight == 0 for part in prefix if isinstance(part, Text))
    sequence = interleaved_conversation((4, 6), ("cut", "fry"))
    assert sequence.prefix == (
        Video(4),
        Text("cut", loss_weight=1.0),
        Video(6),
        Text("fry", loss_weight=1.0),
    )
    assert sequence.branches == ()
