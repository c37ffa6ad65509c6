"""Pixtral 12B: a LLaVA model whose vision tower is Pixtral, an image token for each patch."""

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from . import sharpen, write_json
from .mistral3 import VISION, text_config, tokenizer_files, write_processor


def write(folder):
    tokenizer = tokenizer_files(folder)
    config = LlavaConfig(
        text_config=text_config(tokenizer),
        vision_config={**VISION, "patch_size": 16},
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        image_seq_length=1,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    sharpen(model, 4, 4, ("q_proj", "k_proj"))
    sharpen(model.model.vision_tower, 1, 4, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
    write_processor(folder, "PixtralProcessor", 16)
    write_json(folder / "processor_config.json", {"processor_class": "PixtralProcessor", "patch_size": 16})
