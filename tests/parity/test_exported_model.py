"""Live: an exported run in PyTorch gives our latents, logits, likelihoods and greedy answers."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from launch.cli import main
from llama_files import write_directory
from references.llama import weights
from stepdiff_jax.checkpoint import CheckpointMetadata
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.data.packing import RowShape, lay_out, pack_row
from stepdiff_jax.data.prompts import (
    Conversation,
    Text,
    Video,
    difference_question,
    pair_conversation,
)
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.generate import generate
from stepdiff_jax.inference.requests import pair_request
from stepdiff_jax.inference.score import log_likelihoods
from stepdiff_jax.inference.trained import with_trained_weights
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.weights.build import build_model, load_tokenizer
from tiny_experiment import ENCODER, LLAMA, on_llama3, write_tiny_experiment
from weights.test_torch_export import write_run

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
TOLERANCE = 1e-4

NAMES = ["a", "b", "c"]
FRAMES = np.random.default_rng(0).integers(0, 255, (3, 8, 16, 16, 3), np.uint8)
QUESTION = difference_question("Actions")


@pytest.fixture(scope="module", params=["llama2", "llama3"])
def run(request, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("exported")
    experiment = write_tiny_experiment(root)
    # Larger weights than a fresh model's, so that greedy answers are not all one token.
    if request.param == "llama3":
        experiment = on_llama3(experiment, root, seed=3)
    else:
        llama = write_directory(root / "hf", LLAMA, weights(LLAMA, seed=3))
        experiment = dataclasses.replace(
            experiment, weights=dataclasses.replace(experiment.weights, llama=str(llama))
        )
    metadata = CheckpointMetadata("", dataclasses.asdict(experiment.resampler), "hash")
    return write_run(experiment, root / "trained", metadata)


@pytest.fixture(scope="module")
def ours(run) -> VCLM:
    experiment = read_experiment(run)
    return with_trained_weights(
        build_model(experiment), run, experiment.trainable, allow_other_frozen_weights=True
    )


def export(run: Path, directory: Path, llm: str) -> Path:
    assert main(("convert", "torch", str(run), "--to", str(directory), "--llm", llm)) == 0
    return directory


def opened(directory: Path):
    """Model and processor of an exported directory, as its card says."""
    from transformers import AutoModel

    path = directory / "processing_stepdiff.py"
    spec = importlib.util.spec_from_file_location("processing_stepdiff", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = AutoModel.from_pretrained(directory, trust_remote_code=True).eval()
    return model, module.StepDiffProcessor.from_pretrained(directory)


@pytest.fixture(scope="module", params=["include", "reference"])
def theirs(request, run, tmp_path_factory):
    return opened(export(run, tmp_path_factory.mktemp("torch") / "out", request.param))


def test_latents(ours, theirs):
    model, _ = theirs
    found = model.latents(torch.from_numpy(FRAMES)).numpy()
    wanted = latent_table(ours, NAMES, FRAMES).latents
    assert np.std(wanted) > 0.1
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE)


def test_logits_of_a_prompt_with_three_videos(run, ours, theirs):
    model, processor = theirs
    experiment = read_experiment(run)
    texts = ["first", "and then", "and last", "what changed?"]
    segments = [Text(texts[0])]
    for place, text in enumerate(texts[1:]):
        segments += [Video(place), Text(text)]
    latents = experiment.resampler.latents
    example = lay_out(Conversation(tuple(segments)), load_tokenizer(experiment), latents)
    shape = RowShape(example.length, videos=3, answers=1)
    row, _ = pack_row([example], shape, latents)
    rows = PackedRows(*(np.asarray(column)[None] for column in row))
    table = latent_table(ours, NAMES, FRAMES)

    @jax.jit
    def logits(model: VCLM) -> jax.Array:
        return model.llama.logits(model.hidden(rows, table.latents[None]))

    asked = processor([texts[0], FRAMES[0], texts[1], FRAMES[1], texts[2], FRAMES[2], texts[3]])
    with torch.no_grad():
        found = model(**asked).logits.numpy()
    wanted = logits(ours)
    assert np.std(wanted) > 0.3
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE)


def test_the_processor_gives_the_ids_of_training(run, theirs):
    _, processor = theirs
    experiment = read_experiment(run)
    tokenizer, latents = load_tokenizer(experiment), experiment.resampler.latents
    for question in (QUESTION, " </s> <|eot_id|>\n", ""):
        example = lay_out(pair_conversation(0, 1, [(question, None)]), tokenizer, latents)
        wanted = np.where(example.rows.visual_slot >= 0, -1, example.rows.tokens)
        found = processor.pair(FRAMES[0], FRAMES[1], question)["input_ids"][0]
        assert found.tolist() == wanted.tolist()
    assert processor.stops == list(tokenizer.stops)


def test_likelihoods_and_greedy_answers(run, ours, theirs):
    model, processor = theirs
    tokenizer = load_tokenizer(read_experiment(run))
    table = latent_table(ours, NAMES, FRAMES)
    pairs = [(first, second) for first in NAMES for second in NAMES if first != second]
    requests = [pair_request(table, *pair, QUESTION, "the person chops tomatoes") for pair in pairs]
    scores = log_likelihoods(ours, tokenizer, requests, table.latents)
    asked = [
        processor.pair(FRAMES[NAMES.index(first)], FRAMES[NAMES.index(second)], QUESTION)
        for first, second in pairs
    ]
    answer = processor.answer_ids("the person chops tomatoes")
    found = [model.log_likelihood(answer_ids=answer, **one) for one in asked]
    np.testing.assert_allclose(found, scores, rtol=0, atol=TOLERANCE)
    questions = [pair_request(table, *pair, QUESTION) for pair in pairs]
    generated = generate(ours, tokenizer, questions, table.latents, new_tokens=50)
    answers = [one.text for one in generated]
    told = [processor.text(model.generate(**one, max_new_tokens=50)) for one in asked]
    assert told == answers
    assert len(set(answers)) > 1


def test_a_batch_that_is_padded_on_the_left_gives_the_same(theirs):
    model, processor = theirs
    asked = [processor(["a short one", FRAMES[0]]), processor(["one", FRAMES[1], "and more"])]
    alone = [model(**one).logits[0, -1] for one in asked]
    longest = max(one["input_ids"].shape[1] for one in asked)
    ids, mask = (torch.zeros(2, longest, dtype=torch.long) for _ in range(2))
    for row, one in enumerate(asked):
        ids[row, -one["input_ids"].shape[1] :] = one["input_ids"][0]
        mask[row, -one["input_ids"].shape[1] :] = 1
    frames = torch.cat([one["frames"] for one in asked])
    together = model(input_ids=ids, frames=frames, attention_mask=mask).logits[:, -1]
    torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=TOLERANCE)


def test_slots_and_videos_must_be_as_many(theirs):
    model, processor = theirs
    asked = processor(["one", FRAMES[0]])
    with pytest.raises(ValueError, match="4 slots for 8 visual tokens"):
        model(asked["input_ids"], torch.cat([asked["frames"]] * 2))
    with pytest.raises(ValueError, match="the prompt has slots, but there are no frames"):
        model(asked["input_ids"])


@pytest.mark.parametrize("change", ["missing", "unexpected", "mismatched"])
def test_no_weight_is_silently_left_out(run, change, tmp_path):
    directory = export(run, tmp_path / "out", "reference")
    tensors = load_file(directory / "model.safetensors")
    name = "resampler.layers.0.query.weight"
    array = tensors.pop(name)
    if change == "unexpected":
        tensors |= {name: array, "resampler.surprise": array}
    elif change == "mismatched":
        tensors[name] = array[:3]
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    with pytest.raises((ValueError, RuntimeError), match=r"resampler|mismatched"):
        opened(directory)


def test_sizes_are_those_of_the_run(theirs):
    model, processor = theirs
    assert model.config.encoder["width"] == ENCODER.width
    assert processor.sizes == {"latents": 4, "frames": 8, "resized_side": 16, "image_size": 16}


def test_frozen_weights_of_half_precision_and_trained_ones_of_float32(tmp_path):
    """As runs at the paper's sizes are; transformers loads one dtype for all unless told."""
    experiment = write_tiny_experiment(tmp_path)
    half = dataclasses.replace(
        experiment,
        llama=dataclasses.replace(experiment.llama, dtype="bfloat16"),
        encoder=dataclasses.replace(experiment.encoder, dtype="bfloat16"),
    )
    metadata = CheckpointMetadata("", dataclasses.asdict(half.resampler), "hash")
    run = write_run(half, tmp_path / "trained", metadata)
    exported = export(run, tmp_path / "out", "include")
    model, processor = opened(exported)
    assert {one.dtype for one in model.language_model.parameters()} == {torch.bfloat16}
    stored = load_file(exported / "model.safetensors")
    for name, weight in model.resampler.named_parameters():
        assert weight.dtype == torch.float32
        np.testing.assert_array_equal(weight.detach(), stored[f"resampler.{name}"])
    built = build_model(half)
    ours = with_trained_weights(built, run, half.trainable, allow_other_frozen_weights=True)
    wanted = latent_table(ours, NAMES, FRAMES).latents.astype(np.float32)
    found = model.latents(torch.from_numpy(FRAMES)).float().numpy()
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
    asked = processor.pair(FRAMES[0], FRAMES[1], QUESTION)
    assert model.generate(**asked, max_new_tokens=4).shape[0] == 1
    assert model.to(torch.bfloat16).generate(**asked, max_new_tokens=4).shape[0] == 1
