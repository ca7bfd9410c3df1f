"""StepDiff in PyTorch: frozen encoder, Perceiver resampler and Llama, for inference.

Self-contained: it needs torch and transformers only, and peft if it has adapters. A prompt is a
row of token ids in which `SLOT` stands for one visual token; the videos' tokens fill these slots in
order.
"""

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from .configuration_stepdiff import StepDiffConfig

SLOT = -1
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class Attention(nn.Module):
    """Self-attention within one frame."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        split = (*x.shape[:-1], self.heads, -1)
        query, key, value = (
            layer(x).view(split).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.out(attended.transpose(1, 2).reshape(x.shape))


class Mlp(nn.Module):
    """One hidden layer with CLIP's approximation of GELU."""

    def __init__(self, width: int, mlp_width: int):
        super().__init__()
        self.up = nn.Linear(width, mlp_width)
        self.down = nn.Linear(mlp_width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.up(x)
        return self.down(hidden * torch.sigmoid(1.702 * hidden))


class Block(nn.Module):
    """A block of CLIP's vision transformer."""

    def __init__(self, width: int, heads: int, mlp_width: int):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, mlp_width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """InternVideo's video tower up to the tokens of its last block."""

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        width: int,
        heads: int,
        layers: int,
        mlp_width: int,
        **_: Any,
    ):
        super().__init__()
        self.patch_size = patch_size
        patches = (image_size // patch_size) ** 2
        self.patch_embedding = nn.Linear(patch_size * patch_size * 3, width, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.position_embedding = nn.Parameter(torch.zeros(1 + patches, width))
        self.ln_pre = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads, mlp_width) for _ in range(layers))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """uint8 [N, T, H, W, 3] -> [N, T * patches, width], time-major."""
        count, times, height, breadth, _ = frames.shape
        mean, std = (torch.tensor(row, device=frames.device) for row in (MEAN, STD))
        pixels = (frames.reshape(-1, height, breadth, 3).float() / 255 - mean) / std
        side, rows, columns = self.patch_size, height // self.patch_size, breadth // self.patch_size
        cut = pixels.view(-1, rows, side, columns, side, 3).transpose(2, 3)
        cut = cut.reshape(count * times, rows * columns, -1).to(self.patch_embedding.weight.dtype)
        classes = self.class_embedding.expand(count * times, 1, -1)
        x = torch.cat([classes, self.patch_embedding(cut)], dim=1) + self.position_embedding
        x = self.ln_pre(x)
        for block in self.blocks:
            x = block(x)
        return x[:, 1:].reshape(count, -1, x.shape[-1])


def linear(x: torch.Tensor, layer: nn.Linear) -> torch.Tensor:
    """Apply a layer whose weights stay float32 in the input's dtype."""
    return F.linear(x, layer.weight.to(x.dtype))


def normed(x: torch.Tensor, layer: nn.LayerNorm) -> torch.Tensor:
    """Apply a layer in float32, whatever its weights were cast to; returns the input's dtype."""
    weight, bias = layer.weight.float(), layer.bias.float()
    return F.layer_norm(x.float(), layer.normalized_shape, weight, bias, layer.eps).to(x.dtype)


class ResamplerLayer(nn.Module):
    """Latents attend to [features; latents], then an MLP."""

    def __init__(self, width: int, heads: int, head_width: int, mlp_width: int):
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.feature_norm = nn.LayerNorm(width)
        self.latent_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inner, bias=False)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner, bias=False)
        self.output = nn.Linear(inner, width, bias=False)
        self.mlp_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, mlp_width, bias=False)
        self.down = nn.Linear(mlp_width, width, bias=False)

    def forward(self, latents: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        queries = normed(latents, self.latent_norm)
        seen = torch.cat([normed(features, self.feature_norm), queries], dim=1)
        query, key, value = (
            linear(x, layer).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x, layer in ((queries, self.query), (seen, self.key), (seen, self.value))
        )
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        latents = latents + linear(attended, self.output)
        hidden = F.gelu(linear(normed(latents, self.mlp_norm), self.up), approximate="tanh")
        return latents + linear(hidden, self.down)


class Resampler(nn.Module):
    """M_proj: maps the tokens of a video to a few in the language model's space."""

    def __init__(
        self,
        input_width: int,
        output_width: int,
        frames: int,
        layers: int,
        latents: int,
        heads: int,
        head_width: int,
        mlp_width: int,
    ):
        super().__init__()
        self.time_embedding = nn.Parameter(torch.zeros(frames, input_width))
        self.initial_latents = nn.Parameter(torch.zeros(latents, input_width))
        self.layers = nn.ModuleList(
            ResamplerLayer(input_width, heads, head_width, mlp_width) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(input_width)
        self.head = nn.Linear(input_width, output_width, bias=False)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[N, frames * patches, input_width] -> [N, latents, output_width]."""
        dtype = features.dtype
        timed = features.unflatten(1, (len(self.time_embedding), -1))
        features = (timed + self.time_embedding.to(dtype)[:, None]).flatten(1, 2)
        latents = self.initial_latents.to(dtype).expand(len(features), -1, -1)
        for layer in self.layers:
            latents = layer(latents, features)
        head = self.head.weight.float() * torch.exp(self.log_scale.float())
        return F.linear(normed(latents, self.norm), head.to(dtype))


class StepDiffModel(PreTrainedModel):
    """Answers questions about videos."""

    config_class = StepDiffConfig
    base_model_prefix = "stepdiff"
    _keep_in_fp32_modules_strict = ("resampler",)

    def __init__(self, config: StepDiffConfig):
        super().__init__(config)
        self.encoder = Encoder(**config.encoder)
        self.resampler = Resampler(**config.resampler)
        if config.language_model is None:
            self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing is initialised: every weight is loaded, or `from_pretrained` fails."""

    @classmethod
    def from_pretrained(cls, path: Any, *arguments: Any, **options: Any) -> "StepDiffModel":
        """Load as transformers does, and the language model from where the configuration says.

        Args:
            language_model: where to load the language model from instead, a name or a directory.
        Raises:
            ValueError: a weight is missing, unknown or misshapen.
        """
        location = options.pop("language_model", None)
        options.pop("output_loading_info", None)
        model, loading = super().from_pretrained(
            path, *arguments, output_loading_info=True, **options
        )
        for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if loading.get(problem):
                raise ValueError(f"{path}: {problem}: {sorted(map(str, loading[problem]))}")
        location = location or model.config.language_model
        if location is not None:
            if not Path(location).is_absolute() and (Path(str(path)) / location).is_dir():
                location = Path(str(path)) / location
            dtype = options.get("dtype") or model.config.text_config.dtype
            model.language_model = AutoModelForCausalLM.from_pretrained(location, dtype=dtype)
            model.language_model.to(model.device).eval()
        adapter = getattr(model.config, "adapter", None)
        if adapter is not None:
            from peft import PeftModel

            adapter = Path(str(path)) / adapter
            model.language_model = PeftModel.from_pretrained(model.language_model, adapter)
            model.language_model.eval()
        return model

    @torch.no_grad()
    def latents(self, frames: torch.Tensor) -> torch.Tensor:
        """Visual tokens [N, latents, E] of uint8 frames [N, T, H, W, 3]."""
        dtype = self.language_model.get_input_embeddings().weight.dtype
        return self.resampler(self.encoder(frames).to(dtype))

    def embed(self, input_ids: torch.Tensor, frames: torch.Tensor | None) -> torch.Tensor:
        """Embeddings [B, L, E]; the videos fill the slots of all rows in order."""
        table = self.language_model.get_input_embeddings()
        embeddings = table(input_ids.clamp_min(0))
        slots = input_ids == SLOT
        if frames is not None and len(frames):
            visual = self.latents(frames).flatten(0, 1).to(embeddings.dtype)
            if slots.sum() != len(visual):
                raise ValueError(f"{int(slots.sum())} slots for {len(visual)} visual tokens")
            embeddings = embeddings.masked_scatter(slots[..., None], visual)
        elif slots.any():
            raise ValueError("the prompt has slots, but there are no frames")
        return embeddings

    def forward(
        self,
        input_ids: torch.Tensor,
        frames: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **options: Any,
    ) -> Any:
        """The language model's output; rows are padded on the left, if at all.

        Args:
            input_ids: [B, L] with `SLOT` for each visual token.
            frames: uint8 [videos, T, H, W, 3] of all rows, in order.
        """
        embeddings = self.embed(input_ids, frames)
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        positions = (attention_mask.cumsum(-1) - 1).clamp_min(0)
        return self.language_model(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=positions,
            **options,
        )

    @torch.no_grad()
    def generate(
        self,
        input_ids: torch.Tensor,
        frames: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **options: Any,
    ) -> torch.Tensor:
        """New token ids [B, new], greedy unless `options` say otherwise.

        Rows end at the tokens in this model's configuration, whichever language model is loaded.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        ends = self.config.text_config.eos_token_id
        options = {"do_sample": False, "max_new_tokens": 64, "eos_token_id": ends} | options
        return self.language_model.generate(
            inputs_embeds=self.embed(input_ids, frames), attention_mask=attention_mask, **options
        )

    @torch.no_grad()
    def log_likelihood(
        self, input_ids: torch.Tensor, answer_ids: torch.Tensor, frames: torch.Tensor | None = None
    ) -> float:
        """log p(answer | prompt) in nats, the sum over the answer's tokens; one row each."""
        whole = torch.cat([input_ids, answer_ids], dim=1)
        logits = self(whole, frames).logits[0, input_ids.shape[1] - 1 : -1].float()
        chosen = torch.log_softmax(logits, -1).gather(1, answer_ids[0, :, None])
        total = float(chosen.sum())
        assert math.isfinite(total)
        return total
