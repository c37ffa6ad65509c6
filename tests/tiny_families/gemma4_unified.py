"""Gemma 4 without a vision tower."""

import torch
from transformers import Gemma4UnifiedConfig, Gemma4UnifiedForConditionalGeneration

from tiny_families.gemma4 import PATCH_PX, POOLING, save, text_config, token_ids, tokenizer_of


def write(folder):
    torch.manual_seed(0)
    vocab_size, ids = tokenizer_of(folder)
    text = text_config(vocab_size, ids)
    config = Gemma4UnifiedConfig(
        text_config=text,
        vision_config={
            "patch_size": PATCH_PX,
            "pooling_kernel_size": POOLING,
            "mm_embed_dim": text["hidden_size"],
            "mm_posemb_size": 128,
            "output_proj_dims": text["hidden_size"],
        },
        **token_ids(ids),
    )
    model = Gemma4UnifiedForConditionalGeneration(config)
    save(model, folder, ids, "Gemma4Unified")
