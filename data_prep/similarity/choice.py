"""Which similarity a stage compares sentences by, as options of its command."""

from typing import TYPE_CHECKING, Literal

from stepdiff_jax.errors import InputError

if TYPE_CHECKING:
    from data_prep.similarity.base import Embed

Similarity = Literal["words", "internvideo", "transformers"]

BOUNDS: dict[Similarity, tuple[float, float]] = {
    "words": (0.3, 0.98),
    "transformers": (0.4, 0.98),
}
"""Similarity from the one on, below the other, where nothing else is asked for; ours. InternVideo's
differ too much from one checkpoint to the next."""


def open_similarity(kind: Similarity, name: str) -> "Embed":
    """The embedding that a command's options name.

    Args:
        name: of "internvideo" a CONFIG, of "transformers" a directory or a name.
    Raises:
        InputError: the name is missing, not needed, or names what cannot be loaded.
    """
    if kind == "words":
        if name:
            raise InputError(f"--similarity-model {name}: --similarity words has no model")
        from data_prep.similarity.words import words_embedding

        return words_embedding
    if not name:
        wanted = "a CONFIG" if kind == "internvideo" else "a model of transformers"
        raise InputError(f"--similarity-model is missing: {wanted}, for --similarity {kind}")
    if kind == "transformers":
        from data_prep.similarity.sentence_model import SentenceModel

        return SentenceModel.load(name)
    from data_prep.similarity.internvideo import internvideo_embedding
    from stepdiff_jax.config_files import load_experiment
    from stepdiff_jax.inference.encoder import open_encoder

    return internvideo_embedding(open_encoder(load_experiment(name)))


def similarity_bounds(
    kind: Similarity, lowest: float | None, highest: float | None
) -> tuple[float, float]:
    """What was asked for, or the defaults of the similarity.

    Raises:
        InputError: nothing was asked for, and there is no default.
    """
    if kind in BOUNDS:
        default = BOUNDS[kind]
        return (
            default[0] if lowest is None else lowest,
            default[1] if highest is None else highest,
        )
    if lowest is None or highest is None:
        raise InputError(
            f"--lowest and --highest are missing: --similarity {kind} has no defaults, for its "
            "cosines lie elsewhere with each checkpoint"
        )
    return lowest, highest
