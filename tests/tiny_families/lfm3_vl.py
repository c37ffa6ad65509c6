"""LFM3-VL: convolutions in both towers, sliding windows, norms around every layer."""

from transformers import Lfm3VlConfig, Lfm3VlForConditionalGeneration

from tiny_families.qwen2_vl import DEFAULT_SYSTEM, TEMPLATE, write_model, write_processors


def write(folder):
    text = {
        "model_type": "lfm3",
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "layer_types": ["conv", "full_attention", "conv", "sliding_attention"],
        "sliding_window": 16,
        "pad_token_id": 256,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 32768,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "layer_types": ["conv", "full_attention", "conv", "full_attention"],
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    write_model(folder, Lfm3VlForConditionalGeneration, Lfm3VlConfig, text, vision, sharpness=4)
    write_processors(folder, "Lfm3VlProcessor")
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace(DEFAULT_SYSTEM, ""), encoding="utf-8")
