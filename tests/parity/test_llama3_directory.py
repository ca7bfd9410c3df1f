"""Live: a directory that transformers saved, trained on, and its tokenizer and logits."""

from dataclasses import replace

import numpy as np
import pytest

from launching import metrics
from llama_files import rope_parameters
from references.llama import weights
from stepdiff_jax.checkpoint import read_trained
from stepdiff_jax.training.loop import train
from tiny_experiment import LLAMA_3, on_llama3, write_tiny_experiment

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


def test_two_steps_from_a_directory_that_transformers_saved(tmp_path):
    import transformers

    root = tmp_path / "tiny"
    ours = on_llama3(write_tiny_experiment(root), root)
    ours = replace(
        ours,
        optimizer=replace(ours.optimizer, steps=2, warmup_steps=0),
        loop=replace(ours.loop, evaluate_every=0),
    )
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=LLAMA_3.vocabulary_size,
            hidden_size=LLAMA_3.width,
            intermediate_size=LLAMA_3.mlp_width,
            num_hidden_layers=LLAMA_3.layers,
            num_attention_heads=LLAMA_3.heads,
            num_key_value_heads=LLAMA_3.kv_heads,
            rms_norm_eps=LLAMA_3.norm_epsilon,
            rope_parameters=rope_parameters(LLAMA_3),
            max_position_embeddings=131072,
            tie_word_embeddings=True,
        )
    )
    state = {name: torch.from_numpy(array) for name, array in weights(LLAMA_3).items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    saved = tmp_path / "saved"
    model.save_pretrained(saved)
    transformers.PreTrainedTokenizerFast.from_pretrained(root / "llama3").save_pretrained(saved)
    theirs = replace(
        ours,
        weights=replace(ours.weights, llama=str(saved), tokenizer=str(saved / "tokenizer.json")),
        loop=replace(ours.loop, run_directory=str(tmp_path / "run")),
    )
    losses = []
    for experiment in (ours, theirs):
        run = train(experiment)
        assert read_trained(run).step == 2
        losses.append([row["loss"] for row in metrics(run)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)
