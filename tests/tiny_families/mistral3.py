"""Mistral 3: a Mistral language tower, and Pixtral with blocks of 2 x 2 patches."""

import torch
from transformers import Mistral3Config, Mistral3ForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .qwen2_vl import CLIP

SPECIAL = [
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<pad>", "[IMG]", "[IMG_BREAK]", "[IMG_END]"),
    *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
]
TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}"
    "{%- if message['role'] == 'system' %}{{- '[SYSTEM_PROMPT]' }}"
    "{%- if message['content'] is string %}{{- message['content'] }}{%- else %}{{- message['content'][0]['text'] }}"
    "{%- endif %}{{- '[/SYSTEM_PROMPT]' }}"
    "{%- elif message['role'] == 'user' %}{{- '[INST]' }}"
    "{%- if message['content'] is string %}{{- message['content'] }}{%- else %}"
    "{%- for block in message['content'] %}{%- if block['type'] == 'text' %}{{- block['text'] }}"
    "{%- elif block['type'] in ['image', 'image_url'] %}{{- '[IMG]' }}"
    "{%- else %}{{- raise_exception('Only text and image blocks are supported in message content!') }}{%- endif %}"
    "{%- endfor %}{%- endif %}{{- '[/INST]' }}"
    "{%- elif message['role'] == 'assistant' %}"
    "{%- if message['content'] is string %}{{- message['content'] + eos_token }}"
    "{%- else %}{{- message['content'][0]['text'] + eos_token }}{%- endif %}{%- endif %}{%- endfor %}"
)
TEXT = {
    "model_type": "mistral",
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "sliding_window": None,
}
VISION = {
    "model_type": "pixtral",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "head_dim": 16,
    "image_size": 224,
    "patch_size": 14,
}


def write(folder):
    tokenizer = tokenizer_files(folder)
    config = Mistral3Config(
        text_config=text_config(tokenizer),
        vision_config=VISION,
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        spatial_merge_size=2,
    )
    torch.manual_seed(0)
    model = Mistral3ForConditionalGeneration(config)
    sharpen(model, 4, 4, ("q_proj", "k_proj"))
    sharpen(model.model.vision_tower, 1, 4, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
    write_processor(folder, "PixtralProcessor", 28)
    write_json(
        folder / "processor_config.json",
        {"processor_class": "PixtralProcessor", "patch_size": 14, "spatial_merge_size": 2, "image_token": "[IMG]",
         "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]"},
    )  # fmt: skip


def text_config(tokenizer):
    return {**TEXT, "vocab_size": len(tokenizer), "bos_token_id": 257, "eos_token_id": tokenizer.eos_token_id}


def tokenizer_files(folder):
    tokenizer = byte_tokenizer(
        SPECIAL, TEMPLATE, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def write_processor(folder, processor, patch, longest_edge=224):
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "PixtralImageProcessorFast",
            "processor_class": processor,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "patch_size": {"height": patch, "width": patch},
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"longest_edge": longest_edge},
            **CLIP,
        },
    )
