"""LFM2-VL: of four language layers two are convolutions; tiles of 8 x 8 patches, and a view of the whole."""

import torch
from transformers import GenerationConfig, Lfm2VlConfig, Lfm2VlForConditionalGeneration

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = [
    *("<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"),
    *("<|image_start|>", "<|image_end|>", "<|img_thumbnail|>"),
    *(f"<|img_row_{row}_col_{col}|>" for row in range(1, 5) for col in range(1, 5)),
]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}{{ '<image>' }}{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write(folder):
    tokenizer = byte_tokenizer(
        SPECIAL, TEMPLATE, bos_token="<|startoftext|>", eos_token="<|im_end|>", pad_token="<|pad|>"
    )
    tokenizer.save_pretrained(folder)
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("pad", "startoftext", "im_end")}
    config = Lfm2VlConfig(
        text_config={
            "model_type": "lfm2",
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "block_auto_adjust_ff_dim": False,
            "num_hidden_layers": 4,
            "layer_types": ["conv", "full_attention", "full_attention", "conv"],
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32768,
            "pad_token_id": ids["pad"],
            "bos_token_id": ids["startoftext"],
            "eos_token_id": ids["im_end"],
        },
        vision_config={
            "model_type": "siglip2_vision_model",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_patches": 64,
            "patch_size": 8,
            "vision_use_head": False,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projector_hidden_size=48,
    )
    torch.manual_seed(0)
    model = Lfm2VlForConditionalGeneration(config)
    sharpen(model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model, 1, 3, ("q_layernorm", "k_layernorm"))
    model.generation_config = GenerationConfig(
        eos_token_id=ids["im_end"], pad_token_id=ids["pad"], bos_token_id=ids["startoftext"], do_sample=False
    )
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "Lfm2VlImageProcessorFast",
            "processor_class": "Lfm2VlProcessor",
            "do_image_splitting": True,
            "min_tiles": 2,
            "max_tiles": 4,
            "use_thumbnail": True,
            "min_image_tokens": 4,
            "max_image_tokens": 20,
            "encoder_patch_size": 8,
            "tile_size": 64,
            "downsample_factor": 2,
            "max_pixels_tolerance": 2.0,
            "do_resize": True,
            "do_rescale": True,
            "do_normalize": True,
            "do_pad": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "resample": 2,
            "rescale_factor": 1 / 255,
        },
    )
