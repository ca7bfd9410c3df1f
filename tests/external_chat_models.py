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


def write_qwen2_5_vl(path: Path) -> Path:
    """Qwen2.5-VL: videos of 28 x 28 pixels, two frames in one token; needs torchvision."""
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    special = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
    }
    tokenizer = fast_tokenizer(**special)
    image, video, start, end = (len(WORDS) + number for number in range(4))
    torch.manual_seed(0)
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "rope_parameters": rope,
            "max_position_embeddings": 2048,
            **GROUPED,
            **SPECIAL,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 16,
            "fullatt_block_indexes": [0],
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(path)
    pixels = {"size": {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 8}}
    slots = [f"<|vision_start|>{pad}<|vision_end|>" for pad in ("<|image_pad|>", "<|video_pad|>")]
    Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**pixels),
        tokenizer,
        Qwen2VLVideoProcessor(**pixels),
        chat_template=chat_template(*slots),
    ).save_pretrained(path)
    return path
