"""What the rounds of the stand-in language models' training teach, and for how long."""

from dataclasses import dataclass

from data_prep.kitchen.pretrain.dialogues import Pairs
from data_prep.kitchen.stand_ins import Size

MIXING = 0.8
"""Maximum share of a neighbouring token's embedding added to each prefix embedding: a resampler may
write two things into one latent. It grows like the noise."""


@dataclass(frozen=True)
class Lesson:
    """One round.

    pairs: which dialogues about two scenes it has; see `PAIRS`.
    mixing: maximum share of a neighbouring token's embedding; see `MIXING`.
    likened: (word, other): the embedding of a category's word begins halfway to that of its major
        attribute. A model learns to compare single attributes exactly, and may never find out
        which of them a category is about; halfway, it compares them at once, and loses nothing.
    """

    steps: int
    pairs: Pairs = "any"
    mixing: float = 0.0
    likened: tuple[tuple[str, str], ...] = ()


LESSONS: dict[Size, tuple[Lesson, ...]] = {
    "base": (
        Lesson(3000),
        Lesson(1500),
        Lesson(1500, mixing=MIXING),
        Lesson(1000, "verdicts", MIXING),
        Lesson(400, "verdicts", MIXING, likened=(("Actions", "motion"),)),
    ),
    "small": (
        Lesson(
            1300,
            "verdicts",
            likened=(
                ("Ingredients", "ingredient"),
                ("Tools", "tool"),
                ("Actions", "motion"),
                ("Technique", "cut"),
                ("Visuals", "vessel"),
            ),
        ),
        Lesson(700, "verdicts", MIXING),
    ),
}
"""Size -> its rounds."""
