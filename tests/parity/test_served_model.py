"""describe -> question -> filter against a real OpenAI-compatible server, `transformers serve`."""

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

from stepdiff_jax.cli import main
from stepdiff_jax.jsonl import read_jsonl, write_jsonl

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
"""What the model recites, whatever it is asked."""


def write_reciting_model(path: Path) -> None:
    """A Llama whose next token is a function of the last one: it recites LINES, then ends."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<unk>", "<go>", *LINES, "</s>"]
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        additional_special_tokens=["<go>"],
    )
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}<go>"
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
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
    weights["model.embed_tokens.weight"].copy_(torch.eye(len(words), 16))
    weights["lm_head.weight"].copy_(torch.eye(len(words), 16).roll(1, 0))
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


def test_chain_runs_against_a_served_model(served, tmp_path):
    address, model = served
    clip = {"keystep": "stir the soup", "narration": "a bit of salt", "video": "a.mp4"}
    write_jsonl(tmp_path / "clips.jsonl", [{"clip": f"v{n}_0_8", **clip} for n in range(3)])
    pairs = [{"reference": f"v{a}_0_8", "candidate": f"v{b}_0_8"} for a, b in ((0, 1), (1, 2))]
    write_jsonl(tmp_path / "pairs.jsonl", [{**pair, "split": "train"} for pair in pairs])
    asked = ["--model.base-url", address, "--model.name", str(model), "--model.new-tokens", "20"]
    asked += ["--model.concurrency", "2"]

    described, questions, filtered = (tmp_path / f"{name}.jsonl" for name in "dqf")
    here = ["--clips", f"{tmp_path}/clips.jsonl", "--destination", str(described)]
    main(["prep", "describe", *here, *asked])
    here = ["--pairs", f"{tmp_path}/pairs.jsonl", "--descriptions", str(described)]
    main(["prep", "question", *here, "--destination", str(questions), *asked])
    main(["prep", "filter", "--questions", str(questions), "--destination", str(filtered)])

    for row in read_jsonl(filtered):
        kept = [item["question"] for item in row.get("questions")]
        assert kept == [LINES[0][3:].strip(), LINES[2][3:].strip()]
        (removed,) = row.get("removed")
        assert "mentions_description" in removed["rules"]
    cost = json.loads((tmp_path / "q.summary.json").read_text())["counts"]
    assert cost["calls"] == 2
    assert cost["completion_tokens"] >= 2 * len(LINES)
