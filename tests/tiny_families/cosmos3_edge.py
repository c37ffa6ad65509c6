"""Cosmos 3 Edge: a plain language tower, a SigLIP-like vision tower."""

from transformers import Cosmos3EdgeConfig, Cosmos3EdgeForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import DEFAULT_SYSTEM, TEMPLATE, TEXT, write_model, write_processor


def write(folder):
    text = {**TEXT, "head_dim": 16, "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]}}
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"patch_size": 14, "num_patches": 16}
    write_model(
        folder,
        Cosmos3EdgeForConditionalGeneration,
        Cosmos3EdgeConfig,
        text,
        vision,
        vision_scale=1.5,
        config_values={"projector_hidden_size": 64},
    )
    size = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 128}
    write_processor(folder, "Cosmos3EdgeProcessor", "Cosmos3EdgeImageProcessor", size=size, temporal_patch_size=1)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE.replace(DEFAULT_SYSTEM, "")})
