"""Prompts as lists of segments: turns, text and video slots, for any family's chat template.

The wording is the paper's (sections 3.3 and 3.4; AnyMAL's for a single video); the text around
the turns is the language model's template (`chat.py`), which the paper does not print.
A conversation is a shared prefix (system text and videos) and one branch per question. The prefix
ends at the last video slot, where tokenisation restarts anyway, so a branch has exactly the tokens
of the same question asked alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stepdiff_jax.families.common.base import Role

CATEGORIES = ("Ingredients", "Tools/Equipment", "Actions", "Technique", "Visuals")
"""Categories in which two videos may differ (section 4)."""

SYSTEM = "You are a helpful AI assistant that answers questions about a pair of videos. "
SINGLE_SENTENCE = "Answer in a single sentence. "
ANYMAL_SYSTEM = (
    "You are a multimodal assistant. Designed to provide direct answers to users' video-related "
    "questions. \n\n Here is the video: "
)

SEVERAL_SYSTEM = "You are a helpful AI assistant that answers questions about videos. "
"""Ours, after `SYSTEM`."""

SLOT = "<video>"
"""Stands for a video within the text of a question."""


@dataclass(frozen=True)
class Text:
    """Text tokenised separately. `loss_weight` > 0 makes every token of it a training target."""

    text: str
    loss_weight: float = 0.0
    end: bool = False
    """Whether to append the token that ends an answer (also a target if the text is one)."""


@dataclass(frozen=True)
class Video:
    """A slot for one video's latents; `clip` is an index into the clip records."""

    clip: int


@dataclass(frozen=True)
class Turn:
    """The start of a role's turn, replaced by the text of the family's template."""

    role: Role


Segment = Text | Video | Turn


@dataclass(frozen=True)
class Conversation:
    """A shared prefix, and branches that each continue it independently.

    Without branches, it is a plain sequence.
    """

    prefix: tuple[Segment, ...]
    branches: tuple[tuple[Segment, ...], ...] = ()

    @property
    def clips(self) -> tuple[int, ...]:
        """Clip indices in the order of their slots (only the prefix has videos)."""
        return tuple(segment.clip for segment in self.prefix if isinstance(segment, Video))


def answer_text(answer: str, weight: float = 1.0) -> Text:
    """An answer as a training target, followed by the token that ends an answer."""
    return Text(answer, loss_weight=weight, end=True)


def pair_prefix(
    reference: Segment, candidate: Segment, system: str = SYSTEM + SINGLE_SENTENCE
) -> tuple[Segment, ...]:
    """The system text around both videos (section 3.3). A slot may hold text (Socratic models)."""
    return (
        Turn("system"),
        Text(f"{system}Here is the first video:"),
        reference,
        Text(". Here is the second video:"),
        candidate,
    )


def question_branch(question: str, answer: Text | None = None) -> tuple[Segment, ...]:
    """The end of the system text, the question, and the answer if it is known."""
    asked = (Text("."), Turn("user"), Text(question), Turn("assistant"))
    return asked if answer is None else (*asked, answer)


def pair_conversation(
    reference: int, candidate: int, questions: Iterable[tuple[str, Text | None]]
) -> Conversation:
    """Questions about one pair of clips, which share its prefix."""
    return Conversation(
        pair_prefix(Video(reference), Video(candidate)),
        tuple(question_branch(question, answer) for question, answer in questions),
    )


def single_conversation(clip: int, questions: Iterable[tuple[str, Text | None]]) -> Conversation:
    """Questions about one video, in AnyMAL's words (arXiv 2309.16058)."""
    return Conversation(
        (Turn("system"), Text(ANYMAL_SYSTEM), Video(clip)),
        tuple(question_branch(question, answer) for question, answer in questions),
    )


def interleaved_conversation(clips: Sequence[int], narrations: Sequence[str]) -> Conversation:
    """A sequence of (video, ASR) pairs; every narration is a target (section 4, Interleaved)."""
    segments: list[Segment] = []
    for clip, narration in zip(clips, narrations, strict=True):
        segments += [Video(clip), Text(narration, loss_weight=1.0)]
    return Conversation(tuple(segments))


def dialogue(
    clips: Sequence[int], turns: Sequence[tuple[str, Text]], system: str = ""
) -> Conversation:
    """Questions about any number of videos, each asked after the earlier answers (ours).

    All answers are targets. The videos stand where the questions have "<video>"; if none has, they
    stand in the system text: one in AnyMAL's words, two in those of section 3.3.

    Args:
        system: instructions that replace the first sentences of the system text.
    """
    if any(SLOT in question for question, _ in turns):
        instructions = Text(system or SEVERAL_SYSTEM.strip())
        segments: list[Segment] = [Turn("system"), instructions]
    else:
        shown = [Video(clip) for clip in clips]
        segments = [*clips_prefix(shown, system), Text(".")]
    waiting = iter(clips)
    for question, answer in turns:
        segments.append(Turn("user"))
        for number, text in enumerate(question.split(SLOT)):
            segments += [Video(next(waiting))] if number else []
            segments += [Text(text)] if text else []
        segments += [Turn("assistant"), answer]
    return Conversation(tuple(segments))


def clips_prefix(clips: Sequence[Segment], system: str = "") -> tuple[Segment, ...]:
    """The system text with all clips in it: one in AnyMAL's words, two in those of section 3.3.

    Args:
        clips: slots, or texts instead (Socratic models); without any, the text alone.
        system: instructions that replace the first sentences of the system text.
    """
    if len(clips) == 1:
        text = f"{system}\n\n Here is the video: " if system else ANYMAL_SYSTEM
        return Turn("system"), Text(text), clips[0]
    if len(clips) == 2:
        first, second = clips
        return pair_prefix(first, second, f"{system} ") if system else pair_prefix(first, second)
    segments: list[Segment] = [Turn("system")]
    for number, clip in enumerate(clips, start=1):
        before = ". " if number > 1 else f"{system} " if system else SEVERAL_SYSTEM
        segments += [Text(f"{before}Here is video {number}:"), clip]
    return tuple(segments)


def difference_question(category: str) -> str:
    """The question of DiffCap and DiffMCQ (section 3.4)."""
    return f"what is the main difference between these videos in the category {category}"


def ranking_question(category: str) -> str:
    """The question of DiffRank (section 3.4); its score is the likelihood of "YES"."""
    return f"do these two videos show the same {category}? Answer YES or NO."


EXTENDED_QUESTIONS = {
    "differences": "describe the differences between these videos",
    "why": "why are they different?",
    "how different": "how different are they?",
    "mistakes": "what mistake does the person in the second video make?",
    "next": "what should the person in the second video do next?",
}
"""Name -> question beyond the benchmark's (section 4.4). "why" and "how different" are worded as in
Fig. 5, which also bootstraps mistake detection; the other wordings, and "next", are **ours**."""
