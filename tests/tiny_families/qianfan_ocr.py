"""Qianfan-OCR: a Qwen3 language tower, tiles of 8 x 8 patches."""

import torch
from transformers import QianfanOCRConfig, QianfanOCRForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .aya_vision import IMAGES
from .internvl import NAMED, SPECIAL, TEMPLATE


def write(folder):
    template = TEMPLATE.replace("<IMG_CONTEXT>", "<image>")
    named = {name: sign for name, sign in NAMED.items() if name != "video_token"}
    tokenizer = byte_tokenizer(
        [*SPECIAL, "<image>"], template, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=named
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
        "max_position_embeddings": 32768,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": [32, 32],
        "patch_size": [4, 4],
    }
    config = QianfanOCRConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=16,
    )
    torch.manual_seed(0)
    model = QianfanOCRForConditionalGeneration(config)
    sharpen(model, 4, 4, ("q_norm", "k_norm"))
    sharpen(model.model.vision_tower, 1, 20, ("q_proj", "k_proj"))
    with torch.no_grad():  # hidden states are normalised: without it, patches of one colour would all be the same
        model.model.vision_tower.embeddings.patch_embeddings.projection.bias.normal_()
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GotOcr2ImageProcessor",
            "processor_class": "QianfanOCRProcessor",
            "crop_to_patches": True,
            "size": {"height": 32, "width": 32},
            **IMAGES,
        },
    )
    write_json(folder / "processor_config.json", {"processor_class": "QianfanOCRProcessor", "image_seq_length": 16})
