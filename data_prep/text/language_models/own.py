"""Our own language model, on one device or many, and our single-video model as a captioner."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from data_prep.text.describe.base import Captions, Clip
from data_prep.text.language_models.base import Completion, LanguageModelError, Prompt
from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.data.prompts import Conversation, Text, Turn, single_conversation
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.generate import generate_tokens
from stepdiff_jax.inference.requests import LENGTH_STEP
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.weights.build import load_tokenizer

ACTION_QUESTION = "What does the person do? Answer in a single sentence."
OBJECT_QUESTION = "Which ingredients and tools are seen? Answer with a list, separated by commas."


SINGLE = "single"
"""The record set of single videos."""


class OwnLanguageModel:
    """The frozen language model of an experiment, greedy, in its family's chat template."""

    def __init__(
        self, model: VCLM, tokenizer: Tokenizer, *, new_tokens: int = 512, batch_rows: int = 8
    ):
        self._model, self._tokenizer = model, tokenizer
        self._new_tokens, self._batch_rows = new_tokens, batch_rows

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[Completion | LanguageModelError]:
        """See `LanguageModel`; batches of `batch_rows` prompts."""
        # Rows of text only still need a table of latents: one clip of zeros.
        width = self._model.llama.config.width
        nothing = np.zeros((1, 1, width), np.float32)
        for start in range(0, len(prompts), self._batch_rows):
            batch = [_conversation(prompt) for prompt in prompts[start : start + self._batch_rows]]
            yield from _answers(
                self._model,
                self._tokenizer,
                batch,
                jax.numpy.asarray(nothing),
                new_tokens=self._new_tokens,
                batch_rows=self._batch_rows,
            )


class OwnCaptioner:
    """A model trained on single videos, asked in AnyMAL's words; the questions are ours."""

    def __init__(
        self, model: VCLM, tokenizer: Tokenizer, encoder: EncoderConfig, *, new_tokens: int = 48
    ):
        self._model, self._tokenizer, self._encoder = model, tokenizer, encoder
        self._new_tokens = new_tokens

    @classmethod
    def load(cls, directory: Path) -> "OwnCaptioner":
        """From a run directory of an experiment on single videos.

        Raises:
            InputError: it has no configuration or no trained weights, or was not trained on single
                videos.
        """
        experiment = read_experiment(directory)
        parts = [source.name for source in experiment.data.mixture]
        if SINGLE not in parts:
            raise InputError(
                f"{directory}: was trained on {', '.join(parts)}; a captioner needs a run on "
                f"{SINGLE!r}, such as one of vclm_7b"
            )
        model = trained_model(experiment, directory)
        return cls(model, load_tokenizer(experiment), experiment.encoder)

    def caption(self, clip: Clip) -> Captions:
        """See `Captioner`."""
        assert clip.frames is not None
        frames = resize_and_crop(clip.frames, self._encoder.resized_side, self._encoder.image_size)
        table = latent_table(self._model, [clip.id], np.stack([frames]))
        asked = [
            single_conversation(0, [(question, None)])
            for question in (ACTION_QUESTION, OBJECT_QUESTION)
        ]
        action, listed = _answers(
            self._model,
            self._tokenizer,
            asked,
            table.latents,
            new_tokens=self._new_tokens,
            batch_rows=len(asked),
        )
        objects = dict.fromkeys(phrase.strip(" .") for phrase in listed.text.split(","))
        return Captions((action.text,) if action.text else (), tuple(filter(None, objects)))


def _conversation(prompt: Prompt) -> Conversation:
    system = (Turn("system"), Text(prompt.system), Turn("user"))
    return Conversation(system, ((Text(prompt.user), Turn("assistant")),))


def _answers(
    model: VCLM,
    tokenizer: Tokenizer,
    conversations: Sequence[Conversation],
    latents: jax.Array,
    *,
    new_tokens: int,
    batch_rows: int,
) -> list[Completion]:
    """The greedy end of conversations of one open branch each.

    Args:
        latents: [clips, latents, E].
    """
    places = latents.shape[1]
    examples = [lay_out(conversation, tokenizer, places) for conversation in conversations]
    longest = max(example.length for example in examples)
    length = -(-longest // LENGTH_STEP) * LENGTH_STEP
    shape = RowShape(length, videos=1, answers=length)
    packed = [pack_row([example], shape, places) for example in examples]
    packed += [pack_row([], shape, places)] * (batch_rows - len(packed))
    rows = PackedRows(*(np.stack(column) for column in zip(*(row for row, _ in packed))))
    clips = np.maximum(np.stack([clips for _, clips in packed]), 0)
    ends = np.array(tokenizer.stops, np.int32)
    tokens = np.asarray(
        generate_tokens(model, rows, latents[clips], branches=1, new_tokens=new_tokens, ends=ends)
    )[:, 0]
    completions = []
    for example, ids in zip(examples, tokens):
        stops = np.flatnonzero(np.isin(ids, ends))
        ids = ids[: stops[0]] if len(stops) else ids
        text = tokenizer.decode(ids.tolist()).strip()
        completions.append(Completion(text, example.length, len(ids)))
    return completions
