"""Ovis2: a Qwen2 language tower, tiles of 8 x 8 patches that cover the picture, probabilities of visual words."""

import torch
from transformers import Ovis2Config, Ovis2ForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .aya_vision import IMAGES

MARKS = ["<IMG_ATOM>", "<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", *MARKS]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<image>\n' }}{% elif content['type'] == 'text' %}{{ content['text'] }}"
    "{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write(folder):
    tokenizer = byte_tokenizer(SPECIAL, TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    text = {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 4,
        "vocab_size": 64,
        "hidden_stride": 2,
        "num_visual_indicator_tokens": 5,
    }
    ids = tokenizer.convert_tokens_to_ids(MARKS)
    config = Ovis2Config(
        text_config=text,
        vision_config=vision,
        image_token_id=ids[0],
        visual_indicator_token_ids=ids[1:],
        vocab_size=len(tokenizer),
        hidden_size=48,
    )
    torch.manual_seed(0)
    model = Ovis2ForConditionalGeneration(config)
    sharpen(model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model.model.vision_tower, 1, 3, ("q_proj", "k_proj"))
    with torch.no_grad():  # patches are normalised: without it, those of one colour would all be the same
        model.model.vision_tower.transformer.embeddings.patch_embedding.bias.normal_()
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "Ovis2ImageProcessor",
            "processor_class": "Ovis2Processor",
            "crop_to_patches": True,
            "use_covering_area_grid": True,
            "size": {"height": 32, "width": 32},
            **IMAGES,
        },
    )
    write_json(folder / "processor_config.json", {"processor_class": "Ovis2Processor", "image_seq_length": 16})
