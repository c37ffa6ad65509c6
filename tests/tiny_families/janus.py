"""Janus: Llama and a tower of its own; its processor writes a system prompt, as published."""

import torch
from transformers import JanusConfig, JanusForConditionalGeneration

from .deepseek_vl import IMAGE_SIZE, PATCH, TEMPLATE, tokenizer_files, write_model
from .llava import text_config


def write(folder):
    template = TEMPLATE.replace("{{ bos_token }}", "").replace("'user'", "'<|User|>'")
    tokenizer = tokenizer_files(folder, template)
    config = JanusConfig(
        text_config=text_config(tokenizer).to_dict(),
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": IMAGE_SIZE,
            "patch_size": PATCH,
            "projection_dim": 32,
            "num_image_tokens": (IMAGE_SIZE // PATCH) ** 2,
        },
        vq_config={
            "embed_dim": 8,
            "num_embeddings": 16,
            "base_channels": 32,
            "latent_channels": 32,
            "channel_multiplier": [1, 1],
            "num_res_blocks": 1,
            "num_patches": 4,
            "projection_dim": 32,
            "image_token_embed_dim": 32,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image_placeholder>"),
    )
    torch.manual_seed(0)
    model = JanusForConditionalGeneration(config)
    write_model(folder, model, "Janus", vision=8, use_default_system_prompt=True)
