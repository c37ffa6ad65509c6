"""Hy4-VL: learned sinks, and keys that an indexer chooses."""

import torch
from transformers import GenerationConfig, HYV4VLConfig, HYV4VLForConditionalGeneration

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>", "<|image|>", "</|image|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% for part in message['content'] %}"
    "{{ '<|image|><|image_pad|></|image|>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PATCH_PX, CHOSEN = 8, 24


def write(folder):
    torch.manual_seed(0)
    tokenizer = byte_tokenizer(
        SPECIAL,
        TEMPLATE,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
    )
    tokenizer.save_pretrained(folder)
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(SPECIAL), strict=True))
    config = HYV4VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "moe_intermediate_size": 32,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "n_routed_experts": 2,
            "num_experts_per_tok": 1,
            "q_lora_rank": 24,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 12,
            "index_topk": CHOSEN,
            "index_head_dim": 16,
            "index_n_heads": 2,
            "indexer_types": ["full", "full", "shared"],
            "hc_mult": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
            "max_position_embeddings": 8192,
            "initializer_range": 0.1,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
            "bos_token_id": None,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "out_hidden_size": 48,
            "patch_size": PATCH_PX,
            "max_image_size": 256,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
    )
    model = HYV4VLForConditionalGeneration(config)
    sharpen(model.model.vision_tower, 6, 8, ("q_proj", "k_proj"))
    sharpen(model.model.language_model, 1.5, 5, ("q_b_proj", "kv_b_proj"))
    for layer, block in enumerate(model.model.language_model.layers):
        block.self_attn.sinks.data = torch.tensor([2.0, -2.0, 5.0, 0.0]).roll(layer)
    model.generation_config = GenerationConfig(eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"])
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "HYV4VLImageProcessor",
            "processor_class": "HYV4VLProcessor",
            "size": {"shortest_edge": 32 * 32, "longest_edge": 96 * 96},
            "patch_size": PATCH_PX,
            "temporal_patch_size": 1,
            "merge_size": 2,
        },
    )
    write_json(folder / "processor_config.json", {"processor_class": "HYV4VLProcessor"})
