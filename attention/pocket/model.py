"""The bundled model's sizes: every part of a Qwen3-VL, each as small as still does its work.

A picture of 288 x 288 pixels is 18 x 18 patches and, merged two by two, 9 x 9 cells of 32 x 32 pixels.

    vision    4 layers x 3 heads, width 96; two of them also feed the language layers (deepstack)
    language  5 layers x 4 heads (2 key/value heads), width 128; input and output words share one matrix
"""

from __future__ import annotations

import math

import torch
from transformers import Qwen2Tokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration

PATCH_PX, MERGE, TEMPORAL = 16, 2, 2
CELL_PX = PATCH_PX * MERGE
POSITION_SCALE = 2.0  # of the patches' positions in the beginning; a patch's own values soon are about four


def build_config(tokenizer: Qwen2Tokenizer) -> Qwen3VLConfig:
    """Return the configuration for this tokenizer's vocabulary."""
    token_id = tokenizer.convert_tokens_to_ids
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 5,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "initializer_range": 0.04,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
            "bos_token_id": token_id("<|endoftext|>"),
            "eos_token_id": token_id("<|im_end|>"),
        },
        vision_config={
            "depth": 4,
            "hidden_size": 96,
            "num_heads": 3,
            "intermediate_size": 256,
            "patch_size": PATCH_PX,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": TEMPORAL,
            "out_hidden_size": 128,
            "num_position_embeddings": 324,
            "deepstack_visual_indexes": [1, 2],
            "initializer_range": 0.04,
        },
        image_token_id=token_id("<|image_pad|>"),
        video_token_id=token_id("<|video_pad|>"),
        vision_start_token_id=token_id("<|vision_start|>"),
        vision_end_token_id=token_id("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def build_model(config: Qwen3VLConfig, seed: int) -> Qwen3VLForConditionalGeneration:
    """Return the untrained model in float32; the seed decides its weights.

    The patches' positions begin as waves: with small random ones, where a thing is stays unknown for very long.
    """
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config)
    positions = model.model.visual.pos_embed.weight
    with torch.no_grad():
        positions.copy_(waves(math.isqrt(len(positions)), positions.shape[1]))
    return model


def waves(side: int, width: int) -> torch.Tensor:
    """Return sines and cosines of row and column, a quarter of `width` each, float32 [side x side, width].

    From half a wave over the picture to a wave over four patches.
    """
    angles = torch.arange(side)[:, None] * math.pi / side * torch.logspace(0, math.log2(side / 2), width // 4, base=2)
    one = POSITION_SCALE * torch.cat([angles.sin(), angles.cos()], dim=1)  # [place, half of width]
    return torch.cat([one.repeat_interleave(side, dim=0), one.repeat(side, 1)], dim=1)
