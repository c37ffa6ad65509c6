"""Qwen3-VL with a mixture of experts."""

from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import DEFAULT_SYSTEM, TEMPLATE, TEXT, write_model, write_processors


def write(folder):
    text = {
        **TEXT,
        "head_dim": 16,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "rope_scaling": {"rope_type": "default", "mrope_section": [3, 3, 2], "mrope_interleaved": True},
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 48,
        "patch_size": 16,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }
    write_model(folder, Qwen3VLMoeForConditionalGeneration, Qwen3VLMoeConfig, text, vision)
    write_processors(folder, "Qwen3VLProcessor")
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE.replace(DEFAULT_SYSTEM, "")})
