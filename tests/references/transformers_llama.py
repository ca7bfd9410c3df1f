"""Runs transformers' Llama on the cases of `references.llama`; needs torch.

`cd tests && python -m references.transformers_llama` writes tests/fixtures/llama anew.
"""

import numpy as np
import torch
import transformers

from llama_files import rope_parameters
from references.llama import CASES, FIXTURES, TOKENS, positions, weights
from stepdiff_jax.config import LlamaConfig


def build(config: LlamaConfig) -> transformers.LlamaForCausalLM:
    """transformers' model with the weights of `references.llama.weights`, loaded strictly."""
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=config.vocabulary_size,
            hidden_size=config.width,
            intermediate_size=config.mlp_width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            rms_norm_eps=config.norm_epsilon,
            rope_parameters=rope_parameters(config),
            max_position_embeddings=131072,
            tie_word_embeddings=config.tied_embeddings,
            attn_implementation="eager",
        )
    )
    state = weights(config)
    if config.tied_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return model.eval()


def logits(config: LlamaConfig) -> np.ndarray:
    """float32 [rows, length, vocabulary] on `TOKENS` at `positions(config)`, causal."""
    tokens = torch.from_numpy(TOKENS).long()
    with torch.no_grad():
        # Without a mask, transformers takes jumps of the positions for packed sequences.
        output = build(config)(
            input_ids=tokens,
            position_ids=torch.from_numpy(positions(config)).long(),
            attention_mask=torch.ones_like(tokens),
            use_cache=False,
        )
    return output.logits.float().numpy()


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for name, config in CASES.items():
        np.savez(
            FIXTURES / f"{name}.npz",
            logits=logits(config),
            made_by=f"transformers {transformers.__version__}, torch {torch.__version__}",
        )


if __name__ == "__main__":
    main()
