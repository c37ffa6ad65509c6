"""MiniCPM-V 4.6: Qwen3.5's text, slices of 4 x 4 tokens, patches that are merged after the first layer."""

import torch
from transformers import GenerationConfig, MiniCPMV4_6Config, MiniCPMV4_6ForConditionalGeneration

from tiny_families import byte_tokenizer, sharpen, write_json
from tiny_families.qwen3_5 import LANGUAGE

SIGNS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "image_start_token": "<image>",
    "image_end_token": "</image>",
    "slice_start_token": "<slice>",
    "slice_end_token": "</slice>",
    "image_id_start_token": "<image_id>",
    "image_id_end_token": "</image_id>",
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *SIGNS.values()]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{{ '<|image_pad|>\n' if part.type == 'image' else part.text }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PATCH, SIDE = 4, 64


def write(folder):
    write_model(folder, MiniCPMV4_6ForConditionalGeneration, MiniCPMV4_6Config, "MiniCPMV4_6")


def write_model(folder, model_class, config_class, name, **more):
    tokenizer = byte_tokenizer(
        SPECIAL, TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=SIGNS
    )
    tokenizer.save_pretrained(folder)
    (newline,) = tokenizer("\n", add_special_tokens=False)["input_ids"]
    ids = {"newline": newline} | {sign: tokenizer.convert_tokens_to_ids(text) for sign, text in SIGNS.items()}
    text = {"model_type": "qwen3_5_text", "num_hidden_layers": 3, "vocab_size": len(tokenizer)}
    text |= {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    config = config_class(
        text_config={**LANGUAGE, **text},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        insert_layer_id=0,
        image_size=SIDE,
        image_token_id=ids["image_token"],
        video_token_id=ids["video_token"],
        **{each: ids[sign] for each, sign in more.items()},
    )
    torch.manual_seed(0)
    model = model_class(config)
    sharpen(model, 5, 4, ("q_proj", "k_proj"))
    with torch.no_grad():
        for each, weight in model.named_parameters():
            if each.endswith(("q_norm.weight", "k_norm.weight")):
                weight.fill_(3)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id)
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "MiniCPMV4_6ImageProcessor",
            "processor_class": f"{name}Processor",
            "max_slice_nums": 4,
            "scale_resolution": SIDE,
            "patch_size": PATCH,
        },
    )
    write_json(folder / "processor_config.json", {"processor_class": f"{name}Processor"})
