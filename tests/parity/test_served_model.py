"""The whole chain against a real OpenAI-compatible server, `transformers serve`."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch.chain import main
from stepdiff_jax.data.records import open_records
from stepdiff_jax.jsonl import read_jsonl

pytestmark = pytest.mark.parity
pytest.importorskip("torch")
pytest.importorskip("fastapi")

LINES = (
    "Q: what is the main difference between the videos\n",
    "A: the first video shows a spoon and the second video shows a spoon with salt\n",
    "Q: do both videos show the same spoon\n",
    "A: yes, both videos show a spoon\n",
    "Q: how does the salt differ between the videos\n",
    "A: according to the description both videos show salt\n",
)
"""What the model recites of every pair."""

DESCRIPTIONS = tuple(
    f"a person takes salt with a {material} spoon {manner} {place}\n"
    for material in ("wooden", "steel")
    for manner in ("slowly", "quickly")
    for place in ("beside the window", "near the stove")
)
"""One of these it recites of a clip; which one, the length of what it is asked says."""

TEMPLATE = (
    "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    "{% set asked = messages[-1]['content'] %}"
    "{% if 'Describe in one or two sentences' in asked %}<clip{{ asked|length % 8 }}>"
    "{% else %}<pair>{% endif %}"
)


def write_reciting_model(path: Path) -> None:
    """A Llama whose next token is a function of the last one: it recites what is begun, and ends.

    What is begun, its chat template tells it.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    recited = [("<pair>", *LINES)]
    recited += [(f"<clip{n}>", text) for n, text in enumerate(DESCRIPTIONS)]
    words = ["<unk>", *(word for one in recited for word in one), "</s>"]
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        additional_special_tokens=[start for start, *_ in recited],
    )
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=4096,
        eos_token_id=len(words) - 1,
        pad_token_id=len(words) - 1,
        bos_token_id=1,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    weights = model.state_dict()
    for name, weight in weights.items():
        if "o_proj" in name or "down_proj" in name:  # the block adds nothing
            weight.zero_()
    weights["model.embed_tokens.weight"].copy_(torch.eye(len(words), 32))
    follows = torch.zeros(len(words), 32)
    for one in recited:
        for word, following in zip(one, (*one[1:], "</s>")):
            follows[words.index(following), words.index(word)] = 1
    weights["lm_head.weight"].copy_(follows)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Address and directory of the served model."""
    root = tmp_path_factory.mktemp("served")
    write_reciting_model(root / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(root / "model")]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = root / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=output, stderr=output
        )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1", root / "model"
    finally:
        server.terminate()
        server.wait(30)


def test_one_command_runs_the_whole_chain_against_a_served_model(served, tmp_path):
    address, model = served
    command = ["--directory", str(tmp_path), "--train-videos", "4", "--validation-videos", "2"]
    command += ["--model.kind", "endpoint", "--model.base-url", address, "--model.name", str(model)]
    command += ["--model.new-tokens", "20", "--model.concurrency", "2", "--processes", "1"]
    assert main(command) == 0

    records = tmp_path / "records"
    told = {row.string("description") for row in read_jsonl(records / "descriptions.jsonl")}
    assert len(told) >= 2
    assert told <= {text.strip() for text in DESCRIPTIONS}
    filtered = read_jsonl(records / "filtered.jsonl")
    for row in filtered:
        kept = [item["question"] for item in row.get("questions")]
        assert kept == [LINES[0][3:].strip(), LINES[2][3:].strip()]
        (removed,) = row.get("removed")
        assert "mentions_description" in removed["rules"]
    cost = json.loads((records / "questions.summary.json").read_text())["counts"]
    assert cost["calls"] == len(filtered)
    assert cost["completion_tokens"] >= len(filtered) * len(LINES)
    packed = open_records(tmp_path / "data", "pairs", "train")
    assert packed[0].questions[0].question == LINES[0][3:].strip()
    assert LINES[5][3:].strip() in (tmp_path / "inspect.html").read_text()
