"""Opens the similarity chosen by a command's options."""

from typing import TYPE_CHECKING, Literal

from stepdiff_jax.errors import InputError

if TYPE_CHECKING:
    from data_prep.similarity.base import Embed

Similarity = Literal["words", "internvideo", "transformers"]

BOUNDS: dict[Similarity, tuple[float, float]] = {
    "words": (0.3, 0.98),
    "transformers": (0.4, 0.98),
}
"""Default bounds of similarity, lowest (inclusive) and highest (exclusive); ours. InternVideo has
none, as its cosines differ too much between checkpoints."""


def open_similarity(kind: Similarity, name: str) -> "Embed":
    """Open the embedding named by a command's options.

    Args:
        name: for "internvideo" a CONFIG; for "transformers" a directory or name.
    Raises:
        InputError: the name is missing or superfluous, or the model cannot be loaded.
    """
    if kind == "words":
        if name:
            raise InputError(f"--similarity-model {name}: --similarity words takes no model")
        from data_prep.similarity.words import words_embedding

        return words_embedding
    if not name:
        wanted = "a CONFIG" if kind == "internvideo" else "a transformers model"
        raise InputError(f"--similarity {kind} needs --similarity-model: {wanted}")
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
    """The given bounds, or the defaults of the similarity.

    Raises:
        InputError: a bound is not given and has no default.
    """
    if kind in BOUNDS:
        default = BOUNDS[kind]
        return (
            default[0] if lowest is None else lowest,
            default[1] if highest is None else highest,
        )
    if lowest is None or highest is None:
        raise InputError(
            f"--similarity {kind} needs --lowest and --highest: it has no defaults, as its "
            "cosines differ between checkpoints"
        )
    return lowest, highest
