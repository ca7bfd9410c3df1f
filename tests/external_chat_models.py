"""Tiny random models with chat templates, beside those of `external_models.py`."""

from pathlib import Path

from external_models import TINY, WORDS, fast_tokenizer

CHAT = (
    "START{% for m in messages %}user: {% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "IMAGE{% elif c['type'] == 'video' %}VIDEO{% else %} {{ c['text'] }} {% endif %}"
    "{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant:\n{% endif %}"
)
GROUPED = {**TINY, "num_key_value_heads": 1, "initializer_range": 0.5}
SPECIAL = {"bos_token_id": 3, "eos_token_id": 3, "pad_token_id": 2}


def chat_template(image: str, video: str = "", start: str = "") -> str:
    """Texts, images and videos in the order given."""
    return CHAT.replace("IMAGE", image).replace("VIDEO", video).replace("START", start)


def write_gemma3(path: Path) -> Path:
    """Gemma 3: frames as images, and a template that begins with the start token."""
    import torch
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    special = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<soft>"}
    tokenizer = fast_tokenizer(**special)
    boi, eoi, image = (len(WORDS) + number for number in range(3))
    torch.manual_seed(0)
    config = Gemma3Config(
        text_config={
            "vocab_size": len(tokenizer),
            "head_dim": 8,
            "max_position_embeddings": 2048,
            **GROUPED,
            **SPECIAL,
        },
        vision_config={"image_size": 16, "patch_size": 8, **TINY},
        mm_tokens_per_image=4,
        boi_token_index=boi,
        eoi_token_index=eoi,
        image_token_index=image,
        initializer_range=0.5,
        **SPECIAL,
    )
    Gemma3ForConditionalGeneration(config).save_pretrained(path)
    images = Gemma3ImageProcessor(size={"height": 16, "width": 16})
    template = chat_template("<boi>", start="</s>")
    Gemma3Processor(images, tokenizer, template, image_seq_length=4).save_pretrained(path)
    return path
