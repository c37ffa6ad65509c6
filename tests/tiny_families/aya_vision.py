"""Aya Vision: a Cohere2 language tower with sliding layers, a SigLIP tower, tiles of 8 x 8 patches."""

import torch
from transformers import AyaVisionConfig, AyaVisionForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|START_OF_TURN_TOKEN|>"
    '{{ message.role | replace("user", "<|USER_TOKEN|>") | replace("assistant", "<|CHATBOT_TOKEN|><|START_RESPONSE|>")'
    ' | replace("system", "<|SYSTEM_TOKEN|>") }}'
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for item in message.content | selectattr('type', 'equalto', 'image') %}<image>{% endfor %}"
    "{% for item in message.content | selectattr('type', 'equalto', 'text') %}{{ item.text }}{% endfor %}{% endif %}"
    '{% if message.role == "assistant" %}<|END_RESPONSE|>{% endif %}<|END_OF_TURN_TOKEN|>{% endfor %}'
    "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>{% endif %}"
)
TURNS = [
    *("<PAD>", "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>"),
    *("<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
]
SPECIAL = [
    *TURNS,
    *("<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE_GLOBAL", "TILE"),
]
ENDS = {"bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>", "pad_token": "<PAD>"}
VISION = {
    "model_type": "siglip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 4,
    "vision_use_head": False,
}
IMAGES = {
    "min_patches": 1,
    "max_patches": 6,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 3,
}


def write(folder):
    tokenizer = byte_tokenizer(SPECIAL, TEMPLATE, **ENDS)
    tokenizer.save_pretrained(folder)
    config = AyaVisionConfig(
        text_config=text_config(tokenizer),
        vision_config={**VISION, "image_size": 32},
        image_token_index=tokenizer.convert_tokens_to_ids("<|IMG_PATCH|>"),
        downsample_factor=2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    torch.manual_seed(0)
    write_model(folder, AyaVisionForConditionalGeneration(config))
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GotOcr2ImageProcessor",
            "processor_class": "AyaVisionProcessor",
            "crop_to_patches": True,
            "size": {"height": 32, "width": 32},
            **IMAGES,
        },
    )
    write_json(
        folder / "processor_config.json",
        {"processor_class": "AyaVisionProcessor", "patch_size": 4, "downsample_factor": 2, "img_size": 32},
    )


def text_config(tokenizer):
    return {
        "model_type": "cohere2",
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "sliding_window": 64,
        "max_position_embeddings": 32768,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def write_model(folder, model):
    sharpen(model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model.model.vision_tower, 1, 1.5, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
