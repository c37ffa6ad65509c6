"""Command A Vision: a Cohere2 language tower, a SigLIP tower, tiles of 8 x 8 patches, their size in tokens on file."""

import torch
from transformers import Cohere2VisionConfig, Cohere2VisionForConditionalGeneration

from . import byte_tokenizer, write_json
from .aya_vision import ENDS, IMAGES, TEMPLATE, TURNS, VISION, text_config, write_model

NAMED = {
    "image_token": "<|IMG_PATCH|>",
    "boi_token": "<|START_OF_IMG|>",
    "eoi_token": "<|END_OF_IMG|>",
    "img_line_break_token": "<|IMG_LINE_BREAK|>",
}


def write(folder):
    template = TEMPLATE.replace("<image>", "<|IMG_PATCH|>")
    tokenizer = byte_tokenizer([*TURNS, *NAMED.values()], template, **ENDS, extra_special_tokens=NAMED)
    tokenizer.save_pretrained(folder)
    config = Cohere2VisionConfig(
        text_config=text_config(tokenizer),
        vision_config={**VISION, "image_size": 32},
        image_token_id=tokenizer.convert_tokens_to_ids("<|IMG_PATCH|>"),
        downsample_factor=2,
        alignment_intermediate_size=96,
    )
    torch.manual_seed(0)
    write_model(folder, Cohere2VisionForConditionalGeneration(config))
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "Cohere2VisionImageProcessorFast",
            "processor_class": "Cohere2VisionProcessor",
            "crop_to_patches": True,
            "patch_size": 4,
            "size": {"height": 32, "width": 32},
            **IMAGES,
        },
    )
    write_json(folder / "processor_config.json", {"processor_class": "Cohere2VisionProcessor"})
