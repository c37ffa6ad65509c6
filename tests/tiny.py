"""Tiny models of a real architecture with random weights, as folders of the layout that a Hub repository has."""

from pathlib import Path

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from attention.pocket.publish import write_folder
from attention.pocket.tokenizer import build_tokenizer


def qwen3_vl_config(heads=4, kv_heads=2, layers=3, head_dim=16, vision_layers=2) -> Qwen3VLConfig:
    tokenizer = build_tokenizer()
    ids = {
        name: tokenizer.convert_tokens_to_ids(f"<|{name}|>")
        for name in ("image_pad", "video_pad", "vision_start", "vision_end")
    }
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "head_dim": head_dim,
            "max_position_embeddings": 32768,
            "rope_theta": 10000.0,
            "rope_scaling": {"rope_type": "default", "mrope_section": [3, 3, 2], "mrope_interleaved": True},
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": vision_layers,
            "hidden_size": 32,
            "num_heads": 2,
            "intermediate_size": 48,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 48,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
        tie_word_embeddings=True,
    )


def sharpen(model: torch.nn.Module, factor: float) -> None:
    """Make attention peaked: random weights give flat rows, and flat rows hide errors."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                parameter.mul_(factor)
            elif ".attn.qkv." in name:
                third = len(parameter) // 3
                parameter[: 2 * third].mul_(factor * 4)


def qwen3_vl_folder(folder: Path, seed=0, sharpness=3.0, **sizes) -> Path:
    """A random Qwen3-VL with the bundled tokenizer, saved as float32."""
    return save_qwen3_vl(Qwen3VLForConditionalGeneration, qwen3_vl_config(**sizes), folder, seed, sharpness)


def save_qwen3_vl(model_class, config, folder: Path, seed=0, sharpness=3.0) -> Path:
    torch.manual_seed(seed)
    model = model_class(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    sharpen(model, sharpness)
    write_folder(model, build_tokenizer(), folder)
    return folder
