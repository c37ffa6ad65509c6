"""Qwen3.5 with a mixture of experts."""

from transformers import Qwen3_5MoeConfig, Qwen3_5MoeForConditionalGeneration

from tiny_families.qwen3_5 import LANGUAGE, write_folder

EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
}


def write(folder):
    text = {name: size for name, size in LANGUAGE.items() if name != "intermediate_size"}
    write_folder(folder, Qwen3_5MoeForConditionalGeneration, Qwen3_5MoeConfig, text | EXPERTS)
