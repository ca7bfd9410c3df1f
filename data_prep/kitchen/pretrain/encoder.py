"""The stand-in for InternVideo: a tiny model of the same architecture, trained on rendered clips.

Like the original, it learns from a contrastive loss between videos and texts and from a captioning
loss through a decoder that is then discarded. Ours: the decoder is a resampler with one latent per
word of a fixed caption (keystep and attributes), read by a linear classifier.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from data_prep.kitchen import language
from data_prep.kitchen.pretrain.dialogues import narrated
from data_prep.kitchen.pretrain.rounds import Recipe, Round, train_rounds
from data_prep.kitchen.render import render_frames
from data_prep.kitchen.world import ATTRIBUTES, KEYSTEPS, VALUES, Scene, sample_scene
from stepdiff_jax.config import EncoderConfig, ResamplerConfig
from stepdiff_jax.data.preprocess import normalize
from stepdiff_jax.data.text_tokens import text_ids
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.resampler import Resampler

CLIPS = 16000
BATCH = 32
Schedule = tuple[tuple[float, int], ...]
FIRST_ROUND: Schedule = ((0.5, 2), (0.8, 4), (1.0, 8))
LATER_ROUNDS: Schedule = ((0.85, 2), (0.95, 4), (1.0, 8))
"""(end as a share of the round's steps, frames used per clip): the blocks never mix frames, so what
they learn from single frames does not depend on their number, and two frames cost a quarter of
eight."""
SLOTS = (len(KEYSTEPS), *(len(VALUES[name]) for name in ATTRIBUTES))


class Captioner(nnx.Module):
    """The encoder, with the decoder that is needed only for training."""

    def __init__(self, encoder: InternVideo, config: EncoderConfig, *, rngs: nnx.Rngs):
        self.encoder = encoder
        self.decoder = Resampler(
            ResamplerConfig(layers=2, latents=len(SLOTS), heads=4, head_width=32, mlp_width=256),
            input_width=config.width,
            output_width=sum(SLOTS),
            frames=config.frames,
            rngs=rngs,
        )


def caption_loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean cross-entropy over the caption's words, each over its slot's vocabulary.

    Args:
        logits: [N, slots, sum(SLOTS)]; labels: int [N, slots], index within the slot.
    Returns:
        the loss, and the accuracy of each slot.
    """
    starts = np.cumsum((0, *SLOTS[:-1]))
    losses, correct = [], []
    for slot, (start, count) in enumerate(zip(starts, SLOTS)):
        scores = jax.nn.log_softmax(logits[:, slot, start : start + count])
        label = labels[:, slot]
        losses.append(-jnp.mean(jnp.take_along_axis(scores, label[:, None], 1)))
        correct.append(jnp.mean(jnp.argmax(scores, 1) == label))
    return jnp.mean(jnp.stack(losses)), jnp.stack(correct)


def encoder_loss(
    model: Captioner, batch: tuple[jax.Array, jax.Array, jax.Array], key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Contrastive loss in both directions, plus twice the captioning loss."""
    frames, ids, labels = batch
    tokens, video = model.encoder.tokens_and_feature(normalize(frames))
    repeats = model.decoder.frames // frames.shape[1]
    by_frame = tokens.reshape(*frames.shape[:2], -1, tokens.shape[-1])
    decoded = jnp.repeat(by_frame, repeats, axis=1).reshape(len(frames), -1, tokens.shape[-1])
    scores = model.encoder.similarity(video, model.encoder.text_feature(ids))
    order = jnp.arange(len(frames))
    contrastive = -0.5 * sum(
        jnp.mean(jax.nn.log_softmax(table)[order, order]) for table in (scores, scores.T)
    )
    caption, accuracies = caption_loss(model.decoder(decoded), labels)
    figures = {"contrastive": contrastive, "caption": caption}
    by_slot = dict(zip(("keystep", *ATTRIBUTES), accuracies))
    return contrastive + 2.0 * caption, {**figures, **by_slot}


def render_training_clip(seed: tuple[int, int], frames: int) -> tuple[Scene, np.ndarray]:
    """A seeded training scene and its frames at uniform, slightly jittered phases."""
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng, "train")
    phases = np.clip(np.linspace(0, 1, frames) + rng.uniform(-0.02, 0.02, frames), 0, 1)
    return scene, render_frames(scene, rng, phases)


class Clips:
    """Rendered training clips, and batches of clips and texts as a pure function of the step."""

    def __init__(self, config: EncoderConfig, tokenizer: Tokenizer, seed: int, count: int = CLIPS):
        self.config, self.tokenizer, self.seed = config, tokenizer, seed
        seeds = [(seed, number) for number in range(count)]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            drawn = pool.map(render_training_clip, seeds, [config.frames] * count, chunksize=64)
            self.scenes, frames = zip(*drawn)
        self.frames = np.stack(frames)
        self.labels = np.array([(s.keystep, *s.values) for s in self.scenes], np.int32)

    def batch(self, step: int, seen: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """frames uint8 [B, seen, H, W, 3], text ids int32 [B, context], labels int32 [B, slots].

        Every second batch has only two keysteps, which makes the contrast fine-grained.
        """
        rng = np.random.default_rng((self.seed, step, 1))
        allowed = rng.permutation(len(KEYSTEPS))[: 2 if step % 2 else None]
        pool = np.flatnonzero(np.isin(self.labels[:, 0], allowed))
        chosen = rng.choice(pool, BATCH, replace=False)
        scenes = [self.scenes[index] for index in chosen]
        texts = [
            narrated(s, rng) if rng.random() < 0.4 else language.describe(s, rng) for s in scenes
        ]
        ids = text_ids([self.tokenizer.encode(one) for one in texts], self.config.text)
        frames = self.frames[chosen]
        group = self.config.frames // seen
        frames = frames[:, np.arange(seen) * group + rng.integers(group, size=seen)]
        return frames, ids, self.labels[chosen]


def train_encoder(
    config: EncoderConfig,
    tokenizer: Tokenizer,
    *,
    rounds: Sequence[int],
    seed: int,
    directory: Path,
    clips: int = CLIPS,
) -> InternVideo:
    """Train from random weights and return the encoder without its decoder.

    Args:
        clips: number of rendered clips; each keystep needs at least half a batch.
        rounds: steps in each round. A later round continues from the float16 weights of the
            previous one with a new warm-up and a new decoder.
        directory: see `train_rounds`.
    """
    drawn = Clips(config, tokenizer, seed, clips)

    patches = config.tokens // config.frames
    recipe = Recipe(
        name="encoder",
        loss=encoder_loss,
        batch=partial(_batch, drawn),
        tokens=lambda batch: batch[0].shape[0] * batch[0].shape[1] * patches,
        peak_rate=1.5e-3,
        seed=seed,
        settings=(config, clips),
        save_every=100,
    )

    def with_decoder(encoder: InternVideo, one: Round) -> Captioner:
        return Captioner(encoder, config, rngs=nnx.Rngs(seed + one.number + 1))

    return train_rounds(
        InternVideo(config, rngs=nnx.Rngs(seed)),
        recipe,
        rounds,
        directory,
        begin=with_decoder,
        end=lambda captioner: captioner.encoder,
    )


def _batch(clips: Clips, one: Round, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The batch of a round's step, with the number of frames scheduled for it."""
    schedule = LATER_ROUNDS if one.number else FIRST_ROUND
    seen = next(count for share, count in schedule if step < share * one.steps)
    return clips.batch(one.first + step, seen)
