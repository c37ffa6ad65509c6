"""InternVL: a Qwen2 language tower, tiles of 8 x 8 patches; with `GPT_OSS` gpt-oss's, whose sinks are learned."""

import torch
from transformers import InternVLConfig, InternVLForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
NAMED = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}


QWEN_2 = {"model_type": "qwen2"}
GPT_OSS = {
    "model_type": "gpt_oss",
    "head_dim": 12,
    "num_local_experts": 2,
    "num_experts_per_tok": 1,
    "sliding_window": 24,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}


def write(folder, text=QWEN_2):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer(
        SPECIAL, TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=NAMED
    )
    tokenizer.save_pretrained(folder)
    config = InternVLConfig(
        text_config={
            **text,
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32768,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [32, 32],
            "patch_size": [4, 4],
            "attention_bias": True,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=16,
    )
    torch.manual_seed(0)
    model = InternVLForConditionalGeneration(config)
    sharpen(model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model.model.vision_tower, 1, 1.5, ("q_proj", "k_proj"))
    if text is GPT_OSS:  # it says many things, and is not to say that there is a picture
        model.generation_config.suppress_tokens = tokenizer.convert_tokens_to_ids(SPECIAL)
    for layer, name in enumerate(name for name, _ in model.named_parameters() if name.endswith("self_attn.sinks")):
        model.get_parameter(name).data = torch.tensor([4.0, -2.0, 9.0, 0.0]).roll(layer)
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GotOcr2ImageProcessorFast",
            "processor_class": "InternVLProcessor",
            "crop_to_patches": False,
            "min_patches": 1,
            "max_patches": 6,
            "size": {"height": 32, "width": 32},
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225],
            "resample": 3,
        },
    )
    write_json(
        folder / "video_preprocessor_config.json",
        {"video_processor_type": "InternVLVideoProcessor", "size": {"height": 32, "width": 32}},
    )
    write_json(folder / "processor_config.json", {"processor_class": "InternVLProcessor", "image_seq_length": 16})
