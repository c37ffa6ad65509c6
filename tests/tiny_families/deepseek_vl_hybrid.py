"""DeepSeek-VL Hybrid: a SAM tower, which is not read, beside SigLIP."""

import torch
from transformers import DeepseekVLHybridConfig, DeepseekVLHybridForConditionalGeneration

from .aya_vision import VISION
from .deepseek_vl import IMAGE_SIZE, PATCH, TEMPLATE, tokenizer_files, write_model
from .llava import text_config

FINE = 96


def write(folder):
    tokenizer = tokenizer_files(folder, TEMPLATE)
    config = DeepseekVLHybridConfig(
        text_config=text_config(tokenizer).to_dict(),
        vision_config={**VISION, "image_size": IMAGE_SIZE, "patch_size": PATCH},
        high_res_vision_config={
            "model_type": "sam_vision_model",
            "hidden_size": 32,
            "output_channels": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": FINE,
            "patch_size": 8,
            "window_size": 5,
            "global_attn_indexes": [1],
            "mlp_dim": 48,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image_placeholder>"),
    )
    torch.manual_seed(0)
    model = DeepseekVLHybridForConditionalGeneration(config)
    write_model(folder, model, "DeepseekVLHybrid", fine=FINE)
