"""LightOnOCR: a Qwen3 language tower, and Pixtral; pictures are fitted to single patches, as its files say."""

import torch
from transformers import LightOnOcrConfig, LightOnOcrForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .mistral3 import VISION, write_processor

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|vision_pad|>", "<|vision_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}<|image_pad|>{% elif content['type'] == 'text' %}{{ content['text'] }}"
    "{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NAMED = {
    "image_token": "<|image_pad|>",
    "image_break_token": "<|vision_pad|>",
    "image_end_token": "<|vision_end|>",
}


def write(folder):
    tokenizer = byte_tokenizer(
        SPECIAL, TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=NAMED
    )
    tokenizer.save_pretrained(folder)
    text = {
        "model_type": "qwen3",
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = LightOnOcrConfig(
        text_config=text, vision_config=VISION, image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>")
    )
    torch.manual_seed(0)
    model = LightOnOcrForConditionalGeneration(config)
    sharpen(model, 4, 4, ("q_proj", "k_proj"))
    sharpen(model.model.language_model, 1, 4, ("q_norm", "k_norm"))
    sharpen(model.model.vision_encoder, 1, 4, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
    write_processor(folder, "LightOnOcrProcessor", 14, 210)
    write_json(
        folder / "processor_config.json",
        {"processor_class": "LightOnOcrProcessor", "patch_size": 14, "spatial_merge_size": 2},
    )
