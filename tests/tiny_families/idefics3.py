"""Idefics3: a Llama language tower, tiles of 8 x 8 patches, tags of tiles as plain text."""

import torch
from tokenizers.processors import TemplateProcessing
from transformers import Idefics3Config, Idefics3ForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
SPECIAL = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
]


def write(folder):
    tokenizer = byte_tokenizer(
        SPECIAL,
        "<|begin_of_text|>" + TEMPLATE,
        bos_token="<|begin_of_text|>",
        eos_token="<end_of_utterance>",
        pad_token="<|end_of_text|>",
    )
    # as Llama 3's: it would put the first token of the template there once more
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", tokenizer.bos_token_id)]
    )
    tokenizer.save_pretrained(folder)
    tiny = config(Idefics3Config, tokenizer, image_size=64, patch_size=8, scale_factor=2)
    torch.manual_seed(0)
    model = Idefics3ForConditionalGeneration(tiny)
    sharpen(model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model.model.vision_model, 1, 1.5, ("q_proj", "k_proj"))
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", image_processor("Idefics3", tile=64, longest_edge=192))
    write_json(folder / "processor_config.json", {"processor_class": "Idefics3Processor", "image_seq_len": 16})


def config(config_class, tokenizer, image_size, patch_size, scale_factor):
    return config_class(
        text_config=text(tokenizer, "llama"),
        vision_config=vision(image_size, patch_size),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=scale_factor,
    )


def text(tokenizer, model_type):
    return {
        "model_type": model_type,
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def vision(image_size, patch_size):
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": image_size,
        "patch_size": patch_size,
    }


def image_processor(name, tile, longest_edge):
    return {
        "image_processor_type": f"{name}ImageProcessor",
        "processor_class": f"{name}Processor",
        "do_convert_rgb": True,
        "do_image_splitting": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "max_image_size": {"longest_edge": tile},
        "resample": 1,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": longest_edge},
    }
