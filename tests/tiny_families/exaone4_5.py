"""EXAONE 4.5: an EXAONE 4 language tower, sliding and full, and windows of 3 x 3 tokens with half as many keys."""

from transformers import Exaone4_5_Config, Exaone4_5_ForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import DEFAULT_SYSTEM, TEMPLATE, TEXT, write_model, write_processor

VISION = {
    "depth": 3,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": 48,
    "window_size": 84,
    "fullatt_block_indexes": [1],
}


def write(folder):
    text = {name: value for name, value in TEXT.items() if "rope" not in name}
    text |= {"model_type": "exaone4", "head_dim": 16, "num_hidden_layers": 4, "sliding_window": 64}
    vision = {**VISION, "num_key_value_heads": 1}
    write_model(folder, Exaone4_5_ForConditionalGeneration, Exaone4_5_Config, text, vision)
    write_processor(folder, "Exaone4_5_Processor")
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE.replace(DEFAULT_SYSTEM, "")})
