"""SmolVLM2: as Idefics3, with tags of tiles as tokens, and tiles that are no whole number of patches."""

import torch
from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .idefics3 import TEMPLATE, config, image_processor

NAMED = {
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "image_token": "<image>",
    "end_of_utterance_token": "<end_of_utterance>",
}
SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<global-img>",
    *(f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7)),
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
]


def write(folder):
    tokenizer = byte_tokenizer(
        SPECIAL,
        "<|im_start|>" + TEMPLATE,
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<|im_end|>",
        extra_special_tokens=NAMED,
    )
    tokenizer.save_pretrained(folder)
    # one pixel of 65 on the right and at the bottom of each tile is not read, as 6 of 384 in SmolVLM2-2.2B
    tiny = config(SmolVLMConfig, tokenizer, image_size=65, patch_size=8, scale_factor=2)
    torch.manual_seed(0)
    model = SmolVLMForConditionalGeneration(tiny)
    sharpen(model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model.model.vision_model, 1, 1.5, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
    files = {
        "preprocessor_config.json": {  # of pictures and videos together
            **image_processor("SmolVLM", tile=65, longest_edge=130),
            "video_sampling": {"fps": 2, "max_frames": 12, "video_size": {"longest_edge": 65}},
        },
        "processor_config.json": {"processor_class": "SmolVLMProcessor", "image_seq_len": 16},
    }
    for name, content in files.items():
        write_json(folder / name, content)
