"""Qwen4-Exp: attention to keys that an indexer selects, experts, embeddings of n-grams."""

from transformers import Qwen4ExpConfig, Qwen4ExpForConditionalGeneration

from tiny_families.qwen3_5 import LANGUAGE, write_folder
from tiny_families.qwen3_5_moe import EXPERTS

INDEXER = {
    "indexer_n_heads": 2,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 16,
    "indexer_budget": 32,
    "indexer_compress_ratio": 4,
}
N_GRAMS = {
    "ple_layer_ids": [2],
    "ple_embed_dim": 16,
    "heads_per_ngram": 2,
    "ngram_vocab_size_base": 64,
    "make_ngram_vocab_size_divisible_by": 8,
    "split_ngram_parts": 2,
}


def write(folder):
    text = {name: size for name, size in LANGUAGE.items() if name != "intermediate_size"}
    text |= {**EXPERTS, **INDEXER, **N_GRAMS, "hc_count": 2, "hc_lowrank": 8}
    write_folder(folder, Qwen4ExpForConditionalGeneration, Qwen4ExpConfig, text)
