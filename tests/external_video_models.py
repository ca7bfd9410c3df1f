"""Tiny random models whose processors take videos; they need torchvision."""

from pathlib import Path

from external_chat_models import GROUPED, SPECIAL, chat_template
from external_models import TINY, WORDS, fast_tokenizer


def write_qwen2_5_vl(path: Path) -> Path:
    """Qwen2.5-VL: videos of 28 x 28 pixels, two frames in one token."""
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


def write_internvl(path: Path) -> Path:
    """InternVL: frames of 16 x 16 pixels, four tokens each."""
    import torch
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    special = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = fast_tokenizer(**special)
    torch.manual_seed(0)
    text = {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 2048,
        **GROUPED,
        **SPECIAL,
    }
    config = InternVLConfig(
        vision_config={"image_size": [16, 16], "patch_size": [4, 4], **TINY},
        text_config=text,
        image_token_id=len(WORDS) + 2,
        image_seq_length=4,
    )
    InternVLForConditionalGeneration(config).save_pretrained(path)
    size = {"height": 16, "width": 16}
    InternVLProcessor(
        GotOcr2ImageProcessor(size=size),
        tokenizer,
        InternVLVideoProcessor(size=size),
        image_seq_length=4,
        chat_template=chat_template("<IMG_CONTEXT>", "<video>"),
    ).save_pretrained(path)
    return path


def write_smolvlm(path: Path) -> Path:
    """SmolVLM2: frames of 16 x 16 pixels with their times in the prompt; needs num2words, too."""
    import torch
    from transformers import (
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    special = {
        "image_token": "<image>",
        "fake_image_token": "<fake>",
        "global_image_token": "<global-img>",
        "video_token": "<video>",
        "start": "<|im_start|>",
        "end_of_utterance_token": "<eou>",
    }
    tokenizer = fast_tokenizer(**special)
    torch.manual_seed(0)
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 2048,
        **GROUPED,
        **SPECIAL,
    }
    config = SmolVLMConfig(
        vision_config={"image_size": 16, "patch_size": 4, **TINY},
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=2,
    )
    SmolVLMForConditionalGeneration(config).save_pretrained(path)
    pixels = {"size": {"longest_edge": 16}, "max_image_size": {"longest_edge": 16}}
    SmolVLMProcessor(
        SmolVLMImageProcessor(**pixels),
        tokenizer,
        SmolVLMVideoProcessor(
            **pixels,
            video_sampling={"max_frames": 8, "fps": 1, "video_size": {"longest_edge": 16}},
        ),
        image_seq_len=4,
        chat_template=chat_template("<image>", "<video>"),
    ).save_pretrained(path)
    return path
