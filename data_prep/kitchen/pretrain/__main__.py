"""Train the kitchen's stand-ins: `python -m data_prep.kitchen.pretrain`.

Writes `tokenizer.model`, `language_model.safetensors` and `encoder.safetensors` (float16). An
interrupted run resumes. Takes about two hours on two cores, estimated from its parts (see CARD.md).
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from data_prep.kitchen import stand_ins


@dataclass(frozen=True)
class Pretrain:
    """What to train, for how long, and where to write it."""

    part: Literal["all", "language-model", "encoder"] = "all"
    directory: Path = Path("build/pretrain")
    """Checkpoints."""
    output: Path = stand_ins.DIRECTORY
    language_model_rounds: tuple[int, ...] = (3000, 1500, 1500)
    """Steps in each round of the language model's training."""
    encoder_rounds: tuple[int, ...] = (1700, 1200)
    """Steps in each round of the encoder's training."""
    seed: int = 0


def main(options: Pretrain) -> None:
    from data_prep.kitchen.pretrain.dialogues import corpus
    from data_prep.kitchen.pretrain.encoder import train_encoder
    from data_prep.kitchen.pretrain.language_model import train_language_model
    from stepdiff_jax.data.tokenizer import Tokenizer, train_tokenizer
    from stepdiff_jax.weights.native import save_weights

    logging.getLogger("absl").setLevel(logging.WARNING)
    directory = options.directory.absolute()
    tokenizer_path = options.output / "tokenizer.model"
    if tokenizer_path.exists():
        tokenizer = Tokenizer(tokenizer_path)
    else:
        texts = corpus(options.seed, conversations=4000)
        tokenizer = train_tokenizer(texts, tokenizer_path, stand_ins.LLAMA.vocabulary_size)
    if options.part != "encoder":
        model = train_language_model(
            stand_ins.LLAMA,
            tokenizer,
            rounds=options.language_model_rounds,
            seed=options.seed,
            directory=directory / "language_model",
        )
        save_weights(model, options.output / "language_model.safetensors")
    if options.part != "language-model":
        encoder = train_encoder(
            stand_ins.ENCODER,
            tokenizer,
            rounds=options.encoder_rounds,
            seed=options.seed,
            directory=directory / "encoder",
        )
        save_weights(encoder, options.output / "encoder.safetensors")


if __name__ == "__main__":
    main(tyro.cli(Pretrain))
