"""HyperCLOVA X Vision 2: a HyperCLOVA X language tower, and windows of 3 x 3 tokens."""

from transformers import HyperCLOVAXVisionV2Config, HyperCLOVAXVisionV2ForConditionalGeneration

from tiny_families import write_json
from tiny_families.exaone4_5 import VISION
from tiny_families.qwen2_vl import DEFAULT_SYSTEM, TEMPLATE, TEXT, write_model, write_processor


def write(folder):
    text = {name: value for name, value in TEXT.items() if "rope" not in name}
    text |= {"model_type": "hyperclovax", "head_dim": 16, "attention_multiplier": 0.3}
    vision = {**VISION, "model_type": "qwen2_5_vl_vision"}
    write_model(folder, HyperCLOVAXVisionV2ForConditionalGeneration, HyperCLOVAXVisionV2Config, text, vision)
    write_processor(folder, "HyperCLOVAXVisionV2Processor")
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE.replace(DEFAULT_SYSTEM, "")})
