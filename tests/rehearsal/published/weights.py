"""Random weights in the published files' names, shapes, dtypes and layouts, scaled down."""

import ast
import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file

KEYS = Path(__file__).parents[2] / "fixtures" / "internvideo" / "iv_l14_keys.tsv"
"""Names and shapes of every tensor of InternVideo-MM-L-14."""

LAYERS = (0, 20, 21, 22, 23)
"""The encoder's blocks that are kept: a plain one and the four with UniBlocks."""

ENCODER_WIDTH, TEXT_WIDTH = 64, 64
"""Instead of 1024 and 768."""

LLAMA_WIDTH, LLAMA_LAYERS, LLAMA_HEADS, LLAMA_MLP = 64, 2, 2, 128
REVISION = "f5db02db724555f92da89c216ac04704f23d4590"
CLIP_VOCABULARY = 49408


def write_llama_cache(hub: Path, tokenizer: Path, vocabulary_size: int) -> Path:
    """Llama-2 as transformers saves it, in a Hugging Face cache; returns the snapshot.

    The snapshot's files are links to `blobs/<hash>`, which have no endings.
    """
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=LLAMA_WIDTH,
        intermediate_size=LLAMA_MLP,
        num_hidden_layers=LLAMA_LAYERS,
        num_attention_heads=LLAMA_HEADS,
        num_key_value_heads=LLAMA_HEADS,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        initializer_range=0.1,
    )
    model = transformers.LlamaForCausalLM(config).to(torch.float16)
    saved = hub / "saved"
    model.save_pretrained(saved, max_shard_size="100KB")
    shutil.copy(tokenizer, saved / "tokenizer.model")
    return _into_cache(saved, hub / "models--meta-llama--Llama-2-7b-chat-hf")


def write_internvideo(file: Path) -> Path:
    """InternVideo-MM-L-14 as a Lightning checkpoint: names with `clip.`, and training state."""
    rng = np.random.default_rng(0)
    state = {}
    for line in KEYS.read_text().splitlines():
        name, shape = line.split("\t")
        kept = _renumbered(name)
        if kept is not None:
            state[f"clip.{kept}"] = _random(rng, kept, _smaller(kept, ast.literal_eval(shape)))
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "epoch": 0,
            "global_step": 11,
            "pytorch-lightning_version": "1.8.3",
            "state_dict": state,
            "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-4, "params": [0]}]}],
            "loops": {"fit_loop": {"state_dict": {}}},
        },
        file,
    )
    return file


def write_clip(directory: Path) -> Path:
    """openai/clip-vit-large-patch14 as published: safetensors that hold both `position_ids`."""
    torch.manual_seed(1)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 1}
    config = transformers.CLIPConfig(
        text_config={**shape, "hidden_size": 64, "intermediate_size": 128},
        vision_config={
            **shape,
            "hidden_size": 64,
            "intermediate_size": 128,
            "patch_size": 14,
            "image_size": 224,
        },
        projection_dim=TEXT_WIDTH,
    )
    transformers.CLIPModel(config).save_pretrained(directory)
    file = directory / "model.safetensors"
    tensors = load_file(file)
    for part, count in (("text", 77), ("vision", 257)):
        tensors[f"{part}_model.embeddings.position_ids"] = np.arange(count, dtype=np.int64)[None]
    save_file(tensors, file, {"format": "pt"})
    return directory


def write_clip_tokenizer(file: Path) -> None:
    """A `tokenizer.json` with CLIP's vocabulary size and special tokens; its words are letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789,.'?/-"
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    filler = [f"<unused{k}>" for k in range(CLIP_VOCABULARY - 2 - len(words))]
    names = [*words, *filler, "<|startoftext|>", "<|endoftext|>"]
    inner = Tokenizer(
        models.BPE(
            {name: k for k, name in enumerate(names)},
            [],
            unk_token="<|endoftext|>",
            end_of_word_suffix="</w>",
        )
    )
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    inner.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[
            ("<|startoftext|>", CLIP_VOCABULARY - 2),
            ("<|endoftext|>", CLIP_VOCABULARY - 1),
        ],
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    inner.save(str(file))


def _into_cache(saved: Path, repository: Path) -> Path:
    blobs, snapshot = repository / "blobs", repository / "snapshots" / REVISION
    for directory in (blobs, snapshot, repository / "refs"):
        directory.mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    for file in sorted(saved.iterdir()):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.move(file, blobs / digest)
        (snapshot / file.name).symlink_to(f"../../blobs/{digest}")
    saved.rmdir()
    index = json.loads((snapshot / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    return snapshot


def _renumbered(name: str) -> str | None:
    """The tensor's name in the smaller model; None if its block is left out."""
    found = re.search(r"resblocks\.(\d+)\.", name)
    if found is None:
        return name
    kept = LAYERS if name.startswith("visual.") else LAYERS[:1]
    if int(found[1]) not in kept:
        return None
    return name.replace(found[0], f"resblocks.{kept.index(int(found[1]))}.")


def _smaller(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    visual = name.startswith("visual") and name != "visual_proj"
    if name == "visual_proj":
        return ENCODER_WIDTH, TEXT_WIDTH
    if visual:
        return tuple(size // (1024 // ENCODER_WIDTH) if size >= 1024 else size for size in shape)
    ratio = 768 // TEXT_WIDTH
    return tuple(size // ratio if 768 <= size <= 3072 else size for size in shape)


def _random(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if name == "logit_scale":
        return torch.tensor(4.6052)
    if re.search(r"ln_(\w+\.)*\w*weight$|ln_\d\.weight$|ln_post\.weight$", name):
        return torch.ones(shape)
    return torch.from_numpy(rng.normal(0, 0.05, shape).astype(np.float32))
