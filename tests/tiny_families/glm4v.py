"""GLM-4.1V: a GLM-4 language tower, a tower of 14-px patches whose blocks of 2 x 2 are merged by a convolution."""

import torch
from transformers import Glm4vConfig, Glm4vForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .qwen2_vl import CLIP

SPECIAL = [
    *("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|image|>", "<|video|>"),
]
WORDS = ("<think>", "</think>", "<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>")
TEMPLATE = (
    "[gMASK]<sop>{% for msg in messages %}{% if msg.role == 'system' %}<|system|>\n"
    "{{ msg.content if msg.content is string else msg.content[0].text }}"
    "{% elif msg.role == 'user' %}<|user|>{{ '\n' }}{% if msg.content is string %}{{ msg.content }}{% else %}"
    "{% for item in msg.content %}{% if item.type == 'image' or 'image' in item %}"
    "<|begin_of_image|><|image|><|end_of_image|>{% elif item.type == 'text' %}{{ item.text }}{% endif %}{% endfor %}"
    "{% endif %}{% elif msg.role == 'assistant' %}<|assistant|>\n"
    "{% if msg.content is string %}{{ msg.content }}{% else %}{{ msg.content[0].text }}{% endif %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TEXT = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32768,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.5,
        "mrope_section": [1, 1, 2],
    },
}
VISION = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": 48,
    "image_size": 56,
    "patch_size": 14,
    "rope_parameters": {"rope_type": "axial", "rope_theta": 10000.0},
}


def write(folder):
    write_model(folder, Glm4vForConditionalGeneration, Glm4vConfig, "Glm4v")


def write_model(folder, model_class, config_class, processor, text=TEXT, vision=VISION, image_processor=None, **sizes):
    tokenizer = byte_tokenizer(SPECIAL, TEMPLATE, WORDS, eos_token="<|user|>", pad_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    names = ("image", "video", "image_start", "image_end", "video_start", "video_end")
    signs = ("image", "video", "begin_of_image", "end_of_image", "begin_of_video", "end_of_video")
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{sign}|>")
        for name, sign in zip(names, signs, strict=True)
    }
    text = {**text, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    model = model_class(config_class(text_config=text, vision_config=vision, **ids))
    sharpen(model, 4, 4, ("q_proj", "k_proj"))
    sharpen(model.model.visual, 1, 6, ("qkv.weight", "q_norm.weight", "k_norm.weight"))
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "size": {"shortest_edge": 112 * 112, "longest_edge": 2 * 28 * 28 * 128},
            "do_rescale": True,
            "patch_size": 14,
            "temporal_patch_size": 2,
            "merge_size": 2,
            **CLIP,
            **sizes,
            "image_processor_type": f"{image_processor or processor}ImageProcessor",
            "processor_class": f"{processor}Processor",
        },
    )
