"""Gemma 4: sliding and full layers with heads of two sizes, the last of which read keys of earlier ones."""

import json

import torch
from transformers import Gemma4Config, Gemma4ForConditionalGeneration, GenerationConfig

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = [
    *("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"),
    *("<|image>", "<|image|>", "<image|>", "<|audio>", "<|audio|>", "<audio|>", "<|video|>"),
]
TEMPLATE = """\
{{- bos_token -}}
{%- set thinks = enable_thinking is defined and enable_thinking -%}
{%- set turns = messages -%}
{%- if thinks or messages[0].role == 'system' -%}
{{- '<|turn>system\\n' + ('<|think|>\\n' if thinks else '') -}}
{%- if messages[0].role == 'system' -%}
{{- messages[0].content[0].text | trim -}}
{%- set turns = messages[1:] -%}
{%- endif -%}
{{- '<turn|>\\n' -}}
{%- endif -%}
{%- for message in turns -%}
{{- '<|turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' -}}
{%- for part in message.content -%}
{{- '\\n\\n<|image|>\\n\\n' if part.type == 'image' else part.text | trim -}}
{%- endfor -%}
{{- '<turn|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|turn>model\\n' + ('' if thinks else '<|channel>thought\\n<channel|>') -}}
{%- endif -%}"""
PATCH_PX, POOLING = 4, 3
LAYERS = ("sliding", "full", "sliding", "sliding", "full", "full")  # the last three read earlier layers' keys
OF_FULL_LAYERS = {"num_global_key_value_heads": 1, "global_head_dim": 16}


def tokenizer_of(folder):
    """Writes tokenizer and template; the ids of the control tokens, by their texts."""
    tokenizer = byte_tokenizer(
        SPECIAL,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        padding_side="left",
        extra_special_tokens={
            "boi_token": "<|image>",
            "image_token": "<|image|>",
            "eoi_token": "<image|>",
            "boa_token": "<|audio>",
            "audio_token": "<|audio|>",
            "eoa_token": "<audio|>",
        },
    )
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return len(tokenizer), dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(SPECIAL), strict=True))


def text_config(vocab_size, ids):
    return {
        "vocab_size": vocab_size,
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": len(LAYERS),
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "attention_k_eq_v": True,
        "head_dim": 8,
        **OF_FULL_LAYERS,
        "num_kv_shared_layers": 3,
        "sliding_window": 24,
        "layer_types": [f"{kind}_attention" for kind in LAYERS],
        "use_bidirectional_attention": "vision",
        "max_position_embeddings": 32768,
        "bos_token_id": ids["<bos>"],
        "eos_token_id": ids["<eos>"],
        "pad_token_id": ids["<pad>"],
    }


def token_ids(ids):
    return {
        "boi_token_id": ids["<|image>"],
        "image_token_id": ids["<|image|>"],
        "eoi_token_id": ids["<image|>"],
        "boa_token_id": ids["<|audio>"],
        "audio_token_id": ids["<|audio|>"],
        "eoa_token_index": ids["<audio|>"],
        "video_token_id": ids["<|video|>"],
    }


def save(model, folder, ids, name):
    sharpen(model, 2.0, 2.0, ("q_proj", "k_proj"))
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("q_norm.weight"):
                parameter.fill_(3.0)
    model.generation_config = GenerationConfig(
        bos_token_id=ids["<bos>"], eos_token_id=[ids["<eos>"], ids["<turn|>"]], pad_token_id=ids["<pad>"]
    )
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    del config["text_config"]["per_layer_config"]  # as published: sizes of full layers by fields of their own
    config["text_config"] |= OF_FULL_LAYERS
    write_json(folder / "config.json", config)
    settings = {
        "do_convert_rgb": True,
        "do_normalize": False,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.0, 0.0, 0.0],
        "image_processor_type": f"{name}ImageProcessor",
        "image_seq_length": 70,
        "image_std": [1.0, 1.0, 1.0],
        "max_soft_tokens": 70,
        "patch_size": PATCH_PX,
        "pooling_kernel_size": POOLING,
        "resample": 3,
        "rescale_factor": 1 / 255,
    }
    write_json(
        folder / "processor_config.json",
        {"image_processor": settings, "image_seq_length": 70, "processor_class": f"{name}Processor"},
    )


def write(folder):
    torch.manual_seed(0)
    vocab_size, ids = tokenizer_of(folder)
    config = Gemma4Config(
        text_config=text_config(vocab_size, ids)
        | {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": vocab_size},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": PATCH_PX,
            "pooling_kernel_size": POOLING,
            "position_embedding_size": 256,
        },
        **token_ids(ids),
    )
    model = Gemma4ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.vision_tower.patch_embedder.position_embedding_table)
    save(model, folder, ids, "Gemma4")
