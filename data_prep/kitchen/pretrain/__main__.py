"""Train the kitchen's stand-ins: `python -m data_prep.kitchen.pretrain`.

Writes `tokenizer.model`, `language_model.safetensors` and `encoder.safetensors` (float16);
`--part language-model --size small` writes `language_model_small.safetensors`. An interrupted run
resumes. Takes about two and a half hours on two cores, estimated from its parts (see CARD.md).
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
    size: stand_ins.Size = "base"
    """Which language model; its rounds are in `lessons.py`."""
    directory: Path = Path("build/pretrain")
    """Checkpoints."""
    output: Path = stand_ins.DIRECTORY
    encoder_rounds: tuple[int, ...] = (1700, 1200)
    """Steps in each round of the encoder's training."""
    seed: int = 0


def main(options: Pretrain) -> None:
    from data_prep.kitchen.pretrain.dialogues import corpus
    from data_prep.kitchen.pretrain.encoder import train_encoder
    from data_prep.kitchen.pretrain.language_model import train_language_model
    from data_prep.kitchen.pretrain.lessons import LESSONS
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
        name = stand_ins.language_model_file(options.size)
        model = train_language_model(
            stand_ins.LLAMAS[options.size],
            tokenizer,
            lessons=LESSONS[options.size],
            seed=options.seed,
            directory=directory / name.removesuffix(".safetensors"),
        )
        save_weights(model, options.output / name)
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
