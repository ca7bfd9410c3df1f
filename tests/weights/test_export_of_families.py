"""A run on Llama-3 written for PyTorch and back, without torch."""

import dataclasses
import json

import numpy as np
import pytest

from launch.cli import main
from stepdiff_jax.checkpoint import CheckpointMetadata, read_trained
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.families.common.find import find_family
from stepdiff_jax.weights.export.chat import QUESTION, chat_json
from tiny_experiment import LLAMA_3, on_llama3, write_tiny_experiment
from weights.test_torch_export import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("export3")
    experiment = on_llama3(write_tiny_experiment(root), root)
    metadata = CheckpointMetadata("f00d", dataclasses.asdict(experiment.resampler), "hash")
    return write_run(experiment, root / "trained", metadata)


def test_there_and_back_is_the_same_run_and_the_directory_declares_the_family(run, tmp_path):
    out, back = tmp_path / "out", tmp_path / "back"
    assert main(("convert", "torch", str(run), "--to", str(out), "--llm", "include")) == 0
    assert main(("convert", "jax", str(out), "--to", str(back))) == 0
    first, second = read_trained(run), read_trained(back)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name], err_msg=name)
    assert read_experiment(back) == read_experiment(run)
    text = json.loads((out / "config.json").read_text())["text_config"]
    assert text["rope_parameters"] == {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    assert text["tie_word_embeddings"] and text["vocab_size"] == LLAMA_3.vocabulary_size
    stored = json.loads((out / "tokenizer.json").read_text())
    ids = {token["content"]: token["id"] for token in stored["added_tokens"]}
    assert text["bos_token_id"] == ids["<|begin_of_text|>"]
    stops = ("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>")
    assert text["eos_token_id"] == [ids[name] for name in stops]


@pytest.mark.parametrize(
    ("family", "spelled"),
    [
        (
            "llama2",
            "[INST] <<SYS>>\nYou are a helpful AI assistant that answers questions about a pair of "
            "videos. Answer in a single sentence. Here is the first video:{0}. Here is the second "
            "video:{1}.\n<</SYS>>\n\nQUESTION [/INST]",
        ),
        (
            "llama3",
            "<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful AI assistant that "
            "answers questions about a pair of videos. Answer in a single sentence. Here is the "
            "first video:{0}. Here is the second video:{1}.<|eot_id|><|start_header_id|>user"
            "<|end_header_id|>\n\nQUESTION<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
            "\n\n",
        ),
    ],
)
def test_the_pair_prompt_as_data_has_the_papers_words_in_the_familys_template(family, spelled):
    chat = chat_json(find_family(family))
    assert QUESTION not in json.dumps(chat)
    parts = []
    for part in chat["pair"]:
        if "text" in part:
            parts.append("QUESTION".join(part["text"]))
        else:
            parts.append(part["special"] if "special" in part else f"{{{part['video']}}}")
    assert "".join(parts) == spelled
