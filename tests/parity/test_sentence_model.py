"""Sentence embeddings by a tiny random BERT that transformers makes, saved and loaded."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.similarity.choice import open_similarity
from data_prep.similarity.sentence_model import BATCH, SentenceModel
from launch.cli import main
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl, write_jsonl

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "stir", "the", "soup", "with", "a", "spoon", "whisk"]
LONGEST = 12


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=LONGEST,
        initializer_range=1.0,
    )
    BertModel(config).save_pretrained(path)
    BertTokenizerFast(vocab=str(path / "vocab.txt")).save_pretrained(path)
    return path


def test_it_is_the_mean_over_a_sentences_tokens_in_any_batch(directory):
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = (
        AutoModel.from_pretrained(directory),
        AutoTokenizer.from_pretrained(directory),
    )
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS[4:], rng.integers(1, 8))) for _ in range(BATCH + 9)]
    found = SentenceModel.load(directory)(texts)
    assert (found.shape, found.dtype) == ((len(texts), 16), np.float32)
    for text, vector in zip(texts, found):
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        wanted = (hidden / hidden.norm()).numpy()
        np.testing.assert_allclose(vector, wanted, atol=1e-5)


def test_a_long_text_is_cut_to_what_the_model_reads(directory):
    embed = SentenceModel.load(directory)
    long = "stir the soup with a spoon " * 9
    cut = " ".join(long.split()[: LONGEST - 2])
    np.testing.assert_allclose(embed([long]), embed([cut]), atol=1e-6)


def test_pairs_by_its_cosines(directory, tmp_path):
    texts = ["stir the soup with a spoon", "stir the soup with a whisk", "a whisk", "the soup"]
    clips = [
        {"clip": f"v{number}_0_5", "keystep": "stir", "split": "train"}
        for number in range(len(texts))
    ]
    write_jsonl(tmp_path / "clips.jsonl", clips)
    rows = [{"clip": clip["clip"], "description": text} for clip, text in zip(clips, texts)]
    write_jsonl(tmp_path / "d.jsonl", rows)
    command = f"prep pair --clips {tmp_path}/clips.jsonl --descriptions {tmp_path}/d.jsonl"
    command += f" --similarity transformers --similarity-model {directory} --lowest -1"
    assert main([*command.split(), "--destination", f"{tmp_path}/pairs.jsonl"]) == 0
    embed = open_similarity("transformers", str(directory))
    vectors = dict(zip((clip["clip"] for clip in clips), embed(texts)))
    rows = [line.fields for line in read_jsonl(tmp_path / "pairs.jsonl")]
    assert rows
    for row in rows:
        cosine = float(vectors[row["reference"]] @ vectors[row["candidate"]])
        assert row["similarity"] == pytest.approx(cosine, abs=1e-4)


def test_a_model_that_is_not_there_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="cannot be loaded"):
        SentenceModel.load(tmp_path)
