"""Llama 4: chunks, a layer without rotary embedding that reads everything, and a mixture of experts."""

import torch
from transformers import GenerationConfig, Llama4Config, Llama4ForConditionalGeneration
from transformers.models.llama4.processing_llama4 import chat_template

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = [
    *("<|begin_of_text|>", "<|end_of_text|>", "<|eot|>", "<|header_start|>", "<|header_end|>", "<|pad|>"),
    *("<|image_start|>", "<|image_end|>", "<|image|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>"),
]
TILE_PX, PATCH_PX, CHUNK = 48, 8, 40


def write(folder):
    torch.manual_seed(0)
    tokenizer = byte_tokenizer(SPECIAL, chat_template, bos_token=SPECIAL[0], eos_token="<|eot|>", pad_token="<|pad|>")
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(SPECIAL), strict=True))
    config = Llama4Config(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 32,
            "intermediate_size_mlp": 64,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 12,
            "num_local_experts": 2,
            "interleave_moe_layer_step": 2,
            "no_rope_layer_interval": 4,
            "attention_chunk_size": CHUNK,
            "floor_scale": 16,
            "use_qk_norm": False,  # as in Maverick: normed ones of so few numbers would all be alike
            "max_position_embeddings": 8192,
            "bos_token_id": ids["<|begin_of_text|>"],
            "eos_token_id": ids["<|eot|>"],
            "pad_token_id": ids["<|pad|>"],
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": TILE_PX,
            "patch_size": PATCH_PX,
            "projector_input_dim": 32,
            "projector_output_dim": 32,
            "vision_output_dim": 32,
        },
        boi_token_index=ids["<|image_start|>"],
        eoi_token_index=ids["<|image_end|>"],
        image_token_index=ids["<|patch|>"],
    )
    model = Llama4ForConditionalGeneration(config)
    sharpen(model, 3.0, 6.0, ("q_proj", "k_proj"))
    model.generation_config = GenerationConfig(
        bos_token_id=ids["<|begin_of_text|>"],
        eos_token_id=[ids["<|end_of_text|>"], ids["<|eot|>"]],
        pad_token_id=ids["<|pad|>"],
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "Llama4ImageProcessor",
            "image_std": [0.5, 0.5, 0.5],
            "max_patches": 6,
            "processor_class": "Llama4Processor",
            "resample": 2,
            "rescale_factor": 1 / 255,
            "resize_to_max_canvas": False,
            "size": {"height": TILE_PX, "width": TILE_PX},
        },
    )
    write_json(
        folder / "processor_config.json",
        {"patch_size": PATCH_PX, "pixel_shuffle_ratio": 0.5, "processor_class": "Llama4Processor"},
    )
