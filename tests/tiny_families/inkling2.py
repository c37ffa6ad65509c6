"""Inkling 2: a bias by position, a sink for each query, and squares of pictures in their own size."""

import torch
from transformers import GenerationConfig, Inkling2Config, Inkling2ForConditionalGeneration

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|content_image|>", "<|image|>", "<|audio|>", "<|a|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}{% for part in message['content'] %}"
    "{{ '<|content_image|><|image|>' if part['type'] == 'image' else part['text'] }}{% endfor %}{{ '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
TEXT = {
    "hidden_size": 48,
    "moe_intermediate_size": 32,
    "num_hidden_layers": 3,
    "layer_types": ["hybrid_sliding", "hybrid", "hybrid_sliding"],
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "swa_num_attention_heads": 4,
    "swa_num_key_value_heads": 4,
    "swa_head_dim": 8,
    "sliding_window_size": 24,
    "rel_extent": 32,
    "d_rel": 4,
    "log_scaling_n_floor": 16,
    "n_routed_experts": 2,
    "num_experts_per_tok": 1,
    "n_layers_per_attn_res_block": 2,
    "max_position_embeddings": 8192,
    "initializer_range": 0.1,
}
VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_hidden_dim": 32,
    "posemb_grid_size": 8,
    "text_hidden_size": 48,
    "initializer_range": 0.1,
    "layer_scale_init_value": 1.0,
}


def write(folder):
    tokenizer, ids = tokenizer_of(folder)
    config = Inkling2Config(
        text_config={**TEXT, "vocab_size": len(tokenizer), "unpadded_vocab_size": len(tokenizer), **ends(ids)},
        vision_config=VISION,
        image_token_id=ids["<|image|>"],
    )
    torch.manual_seed(0)
    model = Inkling2ForConditionalGeneration(config)
    sharpen(model.model.vision_tower, 2, 3, ("q_proj", "k_proj"))
    sharpen(model.model.language_model, 2, 3, ("q_proj", "k_proj", "relative_position_bias"))
    sharpen(model.model.language_model, 1, 10, ("sink_proj",))
    first = model.model.language_model.layers[0].self_attn.k_proj.sconv.conv1d
    first.weight.data[..., :-1] = 0  # so that its keys show where pixels go
    save(model, folder, ids, "Inkling2")


def tokenizer_of(folder):
    tokenizer = byte_tokenizer(
        SPECIAL, TEMPLATE, eos_token="<|end|>", pad_token="<|a|>", extra_special_tokens={"image_token": "<|image|>"}
    )
    tokenizer.save_pretrained(folder)
    return tokenizer, dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(SPECIAL), strict=True))


def ends(ids):
    return {"eos_token_id": ids["<|end|>"], "pad_token_id": ids["<|a|>"], "bos_token_id": None}


def save(model, folder, ids, name, side=40, **processor):
    model.generation_config = GenerationConfig(eos_token_id=ids["<|end|>"], pad_token_id=ids["<|a|>"])
    model.save_pretrained(folder)
    named = {"image_processor_type": f"{name}ImageProcessor", "processor_class": f"{name}Processor"}
    write_json(folder / "preprocessor_config.json", {**named, "size": {"height": side, "width": side}})
    write_json(folder / "processor_config.json", {"processor_class": f"{name}Processor", **processor})
