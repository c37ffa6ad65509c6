"""LLaVA-NeXT: Llama and CLIP, pinpoints as published: up to two by two tiles, and three in a row."""

import torch
from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration

from . import write_json
from .llava import MEAN, PATCH, STD, sharpen_towers, text_config, tokenizer_files, vision_config

TILE = 40
PINPOINTS = [[40, 80], [80, 40], [80, 80], [120, 40], [40, 120]]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ '<<SYS>>\n' + message['content'][0]['text'] + '\n<</SYS>>\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{{ ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'][0]['text'] + '</s> ' }}{% endif %}"
    "{% endfor %}"
)


def write(folder):
    write_model(folder, LlavaNextForConditionalGeneration, LlavaNextConfig, "LlavaNextProcessor")


def write_model(folder, model_class, config_class, processor, strategy="default", class_tokens=1, **config_values):
    torch.manual_seed(0)
    tokenizer = tokenizer_files(folder)
    values = {"vision_config": vision_config(TILE), "vision_feature_layer": -2} | config_values
    config = config_class(
        text_config=text_config(tokenizer),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=PINPOINTS,
        image_seq_length=(TILE // PATCH) ** 2,
        vision_feature_select_strategy=strategy,
        **values,
    )
    model = model_class(config)
    sharpen_towers(model)
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "aspect_ratio_setting": "anyres",
            "crop_size": {"height": TILE, "width": TILE},
            "do_center_crop": True,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_pad": True,
            "do_rescale": True,
            "do_resize": True,
            "image_grid_pinpoints": PINPOINTS,
            "image_mean": MEAN,
            "image_processor_type": "LlavaNextImageProcessor",
            "image_std": STD,
            "processor_class": processor,
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"shortest_edge": TILE},
        },
    )
    write_json(
        folder / "processor_config.json",
        {
            "image_token": "<image>",
            "num_additional_image_tokens": class_tokens,
            "patch_size": PATCH,
            "processor_class": processor,
            "vision_feature_select_strategy": strategy,
        },
    )
    write_json(folder / "chat_template.json", {"chat_template": CHAT_TEMPLATE})
