"""Granite Docling: tiles of 8 x 8 patches, each four to a token."""

import torch
from transformers import GraniteDoclingConfig, GraniteDoclingForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .qwen2_vl import CLIP

TAGS = [f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7)]
SPECIAL = [
    *("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<fake_token_around_image>", "<global-img>"),
    *("<image>", *TAGS),
]
TEMPLATE = (
    "{% for message in messages %}<|start_of_role|>{{ message.role }}<|end_of_role|>{% for part in message.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
SIDE, PATCH, MERGE = 32, 4, 2


def write(folder):
    tokenizer = byte_tokenizer(
        SPECIAL,
        TEMPLATE,
        eos_token="<|end_of_text|>",
        pad_token="<|end_of_text|>",
        extra_special_tokens={"image_token": "<image>"},
    )
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    config = GraniteDoclingConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 8192,
            "eos_token_id": end,
            "pad_token_id": end,
            "bos_token_id": end,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
            "out_hidden_size": 48,
            "scale_factor": MERGE,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=end,
    )
    torch.manual_seed(0)
    model = GraniteDoclingForConditionalGeneration(config)
    sharpen(model.model.text_model, 4, 24, ("q_proj", "k_proj"))
    sharpen(model.model.vision_model, 6, 8, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GraniteDoclingImageProcessor",
            "processor_class": "GraniteDoclingProcessor",
            "size": {"height": SIDE, "width": SIDE},
            "max_patches": 6,
            **CLIP,
        },
    )
    tokens = {"image_seq_len": (SIDE // PATCH // MERGE) ** 2}
    write_json(folder / "processor_config.json", {"processor_class": "GraniteDoclingProcessor", **tokens})
