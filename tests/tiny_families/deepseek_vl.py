"""DeepSeek-VL: Llama and SigLIP, pictures on a square of one colour."""

import torch
from transformers import DeepseekVLConfig, DeepseekVLForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .aya_vision import VISION
from .llava import text_config
from .qwen2_vl import CLIP

IMAGE_SIZE, PATCH = 48, 8
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "<image_placeholder>", "<begin_of_image>", "<end_of_image>"]
NAMED = {"image_token": "<image_placeholder>", "boi_token": "<begin_of_image>", "eoi_token": "<end_of_image>"}
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'][0]['text'] }}"
    "{{ '\n\n' }}{% else %}{{ message['role'] | capitalize + ': ' }}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}<image_placeholder>{% elif content['type'] == 'text' %}{{ content['text'] }}"
    "{% endif %}{% endfor %}{% if message['role'] == 'assistant' %}</s>{% else %}{{ '\n\n' }}{% endif %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def write(folder):
    tokenizer = tokenizer_files(folder, TEMPLATE)
    config = DeepseekVLConfig(
        text_config=text_config(tokenizer).to_dict(),
        vision_config={**VISION, "image_size": IMAGE_SIZE, "patch_size": PATCH},
        image_token_id=tokenizer.convert_tokens_to_ids("<image_placeholder>"),
    )
    torch.manual_seed(0)
    write_model(folder, DeepseekVLForConditionalGeneration(config), "DeepseekVL")


def tokenizer_files(folder, template):
    ends = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    tokenizer = byte_tokenizer(SPECIAL, template, **ends, extra_special_tokens=NAMED)
    tokenizer.save_pretrained(folder)
    return tokenizer


def write_model(folder, model, name, vision=2, fine=None, **options):
    sharpen(model.model.language_model, 4, 6, ("q_proj", "k_proj"))
    sharpen(model.model.vision_model, 4, vision, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": f"{name}ImageProcessor",
            "processor_class": f"{name}Processor",
            "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
            "min_size": 14,
            "do_pad": True,
            **({"high_res_size": {"height": fine, "width": fine}} if fine else {}),
            **CLIP,
        },
    )
    tokens = (IMAGE_SIZE // PATCH) ** 2
    write_json(
        folder / "processor_config.json",
        {"processor_class": f"{name}Processor", "num_image_tokens": tokens, **options},
    )
