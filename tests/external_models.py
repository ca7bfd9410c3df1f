"""Tiny random models of other people's kinds, saved by transformers as a download would be."""

from pathlib import Path
from typing import Any

WORDS = ["<unk>", "<image>", "<pad>", "</s>", "<fake_token_around_image>", "<end_of_utterance>"]
WORDS += ["yes", "no", "a", "b", "c", "d", "user:", "assistant:", "here", "is", "the", "first"]
WORDS += ["second", "video:", "what", "main", "difference", "between", "these", "videos"]
WORDS += [f"word{number}" for number in range(40)]
TINY = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
TEMPLATE = (
    "{% for m in messages %}user: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image> "
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %} assistant:"
)


def fast_tokenizer(length: int = 4096, **special: str) -> Any:
    """Words, of at most `length` tokens.

    Args:
        special: special tokens by their names, in place of those of LLaVA and IDEFICS.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*WORDS, *special.values()]
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "<unk>"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="</s>",
        bos_token="</s>",
        model_max_length=length,
        extra_special_tokens=special or ["<image>", *WORDS[4:6]],
    )


def write_llava(path: Path, *, positions: int = 4096, template: str = TEMPLATE) -> Path:
    """LLaVA with images of four tokens and one more."""
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    torch.manual_seed(0)
    vision = CLIPVisionConfig(image_size=16, patch_size=8, projection_dim=16, **TINY)
    text = LlamaConfig(
        vocab_size=len(WORDS),
        eos_token_id=3,
        pad_token_id=2,
        bos_token_id=3,
        max_position_embeddings=positions,
        initializer_range=0.5,
        **TINY,
    )
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=1)
    LlavaForConditionalGeneration(config).save_pretrained(path)
    size = {"shortest_edge": 16}
    images = CLIPImageProcessor(size=size, crop_size={"height": 16, "width": 16})
    LlavaProcessor(
        image_processor=images,
        tokenizer=fast_tokenizer(),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template or None,
    ).save_pretrained(path)
    return path


def write_idefics(path: Path) -> Path:
    """IDEFICS, whose text attends to the images."""
    import torch
    from transformers import (
        IdeficsConfig,
        IdeficsForVisionText2Text,
        IdeficsImageProcessor,
        IdeficsProcessor,
    )

    torch.manual_seed(0)
    config = IdeficsConfig(
        vocab_size=len(WORDS),
        pad_token_id=2,
        bos_token_id=3,
        eos_token_id=3,
        alpha_initializer="ones",
        initializer_range=0.5,
        vision_config={"image_size": 16, "patch_size": 8, "embed_dim": 16, **TINY},
        **TINY,
    )
    IdeficsForVisionText2Text(config).save_pretrained(path)
    processor = IdeficsProcessor(IdeficsImageProcessor(image_size=16), fast_tokenizer())
    processor.save_pretrained(path)
    return path


def write_blip2(path: Path) -> Path:
    """BLIP-2 with an OPT language model."""
    import torch
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        BlipImageProcessor,
    )

    torch.manual_seed(0)
    config = Blip2Config(
        vision_config={"image_size": 16, "patch_size": 8, **TINY},
        qformer_config={"vocab_size": 8, "encoder_hidden_size": 16, **TINY},
        text_config={
            "model_type": "opt",
            "vocab_size": len(WORDS),
            "ffn_dim": 32,
            "word_embed_proj_dim": 16,
            "eos_token_id": 3,
            "bos_token_id": 3,
            "pad_token_id": 2,
            **TINY,
        },
        num_query_tokens=3,
        image_token_index=1,
    )
    Blip2ForConditionalGeneration(config).save_pretrained(path)
    images = BlipImageProcessor(size={"height": 16, "width": 16})
    Blip2Processor(images, fast_tokenizer(), num_query_tokens=3).save_pretrained(path)
    return path
