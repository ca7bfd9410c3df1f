"""The stand-in for Llama-2-chat: a tiny Llama that can read and compare step descriptions."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from data_prep.kitchen import language
from data_prep.kitchen.pretrain.dialogues import Pairs, dialogues
from data_prep.kitchen.pretrain.lessons import Lesson
from data_prep.kitchen.pretrain.rounds import Recipe, Round, train_rounds
from data_prep.kitchen.world import SCORES, VALUES
from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.data.packing import Example, RowShape, lay_out, pack_row
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.layout import PackedRows, attention_mask
from stepdiff_jax.models.llama import Llama

ROW = RowShape(length=356, videos=1, answers=356)
ROWS = 16
NOISE = 0.6
"""Largest noise on the prefix's embeddings, relative to their RMS: soft tokens that a resampler
writes are never exactly words, and Llama-2, trained on far more text, is robust to that. It grows
from nothing over the second third of a round's steps, once the model distinguishes words."""

SCORED, CHECKLIST = (
    language.answer_weight(ask) for ask in (language.ask_scores, language.ask_checklist)
)
"""Loss weights, by which the figures distinguish kinds of answers."""


def value_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Token ids of the attribute words; each word is one token."""
    ids = [tokenizer.encode(word) for words in VALUES.values() for word in words]
    return np.array([token for (token,) in ids])


def score_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Token ids of the digits of similarity scores."""
    return np.array([tokenizer.encode(str(digit))[-1] for digit in SCORES.values()])


def verdict_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Token ids of YES and NO; each is one token."""
    return np.array([token for (token,) in map(tokenizer.encode, ("YES", "NO"))])


def language_loss(
    model: Llama,
    batch: tuple[PackedRows, jax.Array, jax.Array],
    key: jax.Array,
    *,
    values: np.ndarray,
    scores: np.ndarray,
    verdicts: np.ndarray,
    end: int,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Weighted cross-entropy, with the shared prefix's embeddings perturbed.

    Args:
        batch: rows, the maximum noise, and the maximum share of a neighbour.
        values, scores, verdicts, end: token ids of the attribute words, of the digits of scores,
            of YES and NO, and of the end token; used for the figures only.
    """
    rows, max_noise, max_share = batch
    embeddings = model.embed(rows.tokens)
    scale_key, noise_key, share_key, side_key = jax.random.split(key, 4)
    per_row = (len(rows.tokens), 1, 1)
    share = max_share * jax.random.uniform(share_key, per_row)
    neighbours = jnp.where(
        jax.random.bernoulli(side_key, shape=per_row),
        jnp.roll(embeddings, 1, axis=1),
        jnp.roll(embeddings, -1, axis=1),
    )
    scale = max_noise * jax.random.uniform(scale_key, per_row)
    rms = jnp.sqrt(jnp.mean(jnp.square(model.embedding[...])))
    noise = scale * rms * jax.random.normal(noise_key, embeddings.shape)
    perturbation = noise + share * neighbours
    embeddings += jnp.where((rows.parent == 0)[..., None], perturbation, 0.0)
    hidden, _ = model(embeddings, rows.positions, attention_mask(rows, rows))
    log_probabilities = jax.nn.log_softmax(model.logits(hidden[:, :-1]))
    targets = rows.tokens[:, 1:]
    token_loss = -jnp.take_along_axis(log_probabilities, targets[..., None], -1)[..., 0]
    weight = rows.loss_mask[:, 1:]
    correct = jnp.argmax(log_probabilities, -1) == targets
    verdict = (weight > 0) & jnp.isin(targets, verdicts)
    scored = (weight == SCORED) & jnp.isin(targets, scores)
    checked = (weight == CHECKLIST) & (targets != end)
    named = (weight == 1.0) & jnp.isin(targets, values) & (rows.parent[:, 1:] > 0)

    def mean(values: jax.Array, where: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(where, values, 0.0)) / jnp.maximum(1, jnp.sum(where))

    return jnp.sum(weight * token_loss) / jnp.sum(weight), {
        "verdict": mean(token_loss * weight, verdict) / mean(weight, verdict),
        "scores right": mean(correct, scored),
        "checklist right": mean(correct, checked),
        "values right": mean(correct, named),
    }


def batch_of_rows(tokenizer: Tokenizer, seed: int, step: int, pairs: Pairs = "any") -> PackedRows:
    """[ROWS, L]: rows filled greedily with dialogues; a pure function of its arguments."""
    stream = dialogues(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]), pairs)
    examples = (lay_out(conversation, tokenizer, latents=0) for conversation in stream)
    rows: list[PackedRows] = []
    waiting: list[Example] = []
    while len(rows) < ROWS:
        example = next(examples)
        if example.length > ROW.length:
            continue  # rare: about one dialogue in thousands
        if sum(one.length for one in waiting) + example.length > ROW.length:
            rows.append(pack_row(waiting, ROW, latents=0)[0])
            waiting = []
        waiting.append(example)
    return PackedRows(*(np.stack(column) for column in zip(*rows)))


def train_language_model(
    config: LlamaConfig,
    tokenizer: Tokenizer,
    *,
    lessons: Sequence[Lesson],
    seed: int,
    directory: Path,
) -> Llama:
    """Train from random weights; deterministic on a given type of machine.

    Args:
        lessons: one per round. A later round continues from the float16 weights of the previous
            one, with rate and noise rising again: the next round learns verdicts that the previous
            one did not.
        directory: see `train_rounds`.
    """
    loss = partial(
        language_loss,
        values=value_tokens(tokenizer),
        scores=score_tokens(tokenizer),
        verdicts=verdict_tokens(tokenizer),
        end=tokenizer.eos,
    )
    recipe = Recipe(
        name="language model",
        loss=loss,
        batch=partial(_batch, tokenizer, seed, lessons),
        tokens=lambda batch: int(np.count_nonzero(batch[0].segment)),
        peak_rate=2e-3,
        seed=seed,
        settings=(config, lessons),
    )

    def begin(model: Llama, one: Round) -> Llama:
        begin_lesson(model, tokenizer, lessons[one.number])
        return model

    return train_rounds(
        Llama(config, rngs=nnx.Rngs(seed)),
        recipe,
        [lesson.steps for lesson in lessons],
        directory,
        begin=begin,
    )


def begin_lesson(model: Llama, tokenizer: Tokenizer, lesson: Lesson) -> None:
    """Move the embeddings of the words that `lesson.likened` has halfway to those of others."""
    table = model.embedding[...]
    for word, other in lesson.likened:
        token, target = word_token(tokenizer, word), word_token(tokenizer, other)
        table = table.at[token].set((table[token] + table[target]) / 2)
    model.embedding[...] = table


def word_token(tokenizer: Tokenizer, word: str) -> int:
    """Token id of a word within a sentence; the word is one token."""
    before, after = tokenizer.encode("same"), tokenizer.encode(f"same {word}")
    (token,) = after[len(before) :]
    return token


def _batch(
    tokenizer: Tokenizer, seed: int, lessons: Sequence[Lesson], one: Round, step: int
) -> tuple[PackedRows, np.float32, np.float32]:
    """The rows of a round's step, the maximum noise, and the maximum share of a neighbour."""
    lesson = lessons[one.number]
    grown = np.clip(3 * step / lesson.steps - 1, 0, 1)
    rows = batch_of_rows(tokenizer, seed, one.first + step, lesson.pairs)
    return rows, np.float32(NOISE * grown), np.float32(lesson.mixing * grown)
